#!/bin/sh
# Lets the operator's key into a host, once SSH answers there; prints the host's own key.
# usage: admit.sh NAME PUBLIC-KEY-FILE
set -eu
name=estate-lab-$1
for _ in $(seq 120); do
  if docker exec "$name" systemctl --quiet is-active ssh.service 2>/dev/null; then
    docker exec --interactive --user ansible "$name" sh -c 'umask 077; cat > ~/.ssh/authorized_keys' <"$2"
    docker exec "$name" cut -d' ' -f1,2 /etc/ssh/ssh_host_ed25519_key.pub
    exit 0
  fi
  sleep 0.5
done
echo "SSH on $1 does not run after 60 s:" >&2
docker exec "$name" systemctl --no-pager status ssh.service >&2
exit 1
