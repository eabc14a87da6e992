#!/bin/sh
# Removes hosts of the lab with their disks; after the last one also ops1, the name server and the networks. Another checkout's lab
# goes whole.
# usage: remove.sh LAB-FOLDER HOST...         says "removed" when there was something, "last" when nothing of the lab is left,
# "standing" with the hosts of another scenario that still need ops1, the networks and the keys
set -eu
folder=$1
shift
drop() {
  for host in "$@"; do
    if docker container inspect "estate-lab-$host" >/dev/null 2>&1; then
      docker rm --force --volumes "estate-lab-$host" >/dev/null
      echo "removed $host"
    fi
    docker volume rm --force "estate-lab-$host-docker" "estate-lab-$host-stores" >/dev/null
    rm -f "$folder/names/$host" "$folder/hosts/$host".*
  done
}
# Of another checkout's lab nothing may stay: a half of it would serve nobody, and be in the way.
docker ps --all --filter label=estate-lab --format '{{.Names}} {{.Label "estate-lab"}}' | while read -r name owner; do
  [ "$owner" = "$folder" ] || drop "${name#estate-lab-}"
done
drop "$@"
left=$(docker ps --all --filter label=estate-lab --format '{{.Names}}' | grep -vx -e estate-lab-ops1 -e estate-lab-dns | paste -sd ' ' -)
if [ -n "$left" ]; then
  echo "standing: $left"
  exit 0
fi
drop ops1 dns
for network in estate-lab-private estate-lab-public; do
  docker network inspect $network >/dev/null 2>&1 && docker network rm $network
done
echo last
