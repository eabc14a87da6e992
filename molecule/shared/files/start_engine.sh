#!/bin/sh
# Starts dockerd: by systemd where systemd runs the machine, else as a process of its own. Waits until it answers.
set -eu
docker version >/dev/null 2>&1 && exit 0 # its package may have started it
if [ -d /run/systemd/system ]; then
  systemctl start docker
else
  # Its standard streams and session are not ours, so it outlives this script and holds none of its pipes open.
  setsid dockerd >/var/log/dockerd-lab.log 2>&1 </dev/null &
fi
for _ in $(seq 60); do
  if docker version >/dev/null 2>&1; then exit 0; fi
  sleep 0.5
done
echo "dockerd does not answer after 30 s; the end of its log:" >&2
tail -n 20 /var/log/dockerd-lab.log >&2 || journalctl --unit docker --lines 20 >&2
exit 1
