#!/bin/sh
# Prints the `docker run` options with which systemd and a nested engine work in a container here, one a line.
# usage: capabilities.sh IMAGE      (an image with /bin/true, to try them on)
# Two kinds of machine are known: where --privileged is allowed it is the shortest way; where the machine's own bounding set
# withholds a capability (a container, a hardened CI runner), everything else is granted by name.
set -eu
if docker run --rm --privileged --network none "$1" /bin/true 2>/dev/null; then
  printf '%s\n' --privileged
else
  printf '%s\n' --cap-add=ALL --cap-drop=SYS_RESOURCE --security-opt=seccomp=unconfined --security-opt=apparmor=unconfined \
    --security-opt=systempaths=unconfined '--device-cgroup-rule=a *:* rwm'
fi
if [ -e /sys/fs/cgroup/cgroup.controllers ]; then
  printf '%s\n' --cgroupns=private
else
  # Version 1: systemd needs the machine's own tree, and from release 256 on has to be told that this is meant.
  printf '%s\n' --cgroupns=host --volume=/sys/fs/cgroup:/sys/fs/cgroup:rw --env=SYSTEMD_CGROUP_ENABLE_LEGACY_FORCE=1
fi
