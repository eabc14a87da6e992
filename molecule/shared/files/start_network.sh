#!/bin/sh
# Makes the lab's two networks and starts its name server, unless they are there; prints "created" when it did something.
# A machine has room for one lab, by its addresses: it refuses where another checkout's is up, whose keys this one lacks.
# usage: start_network.sh IMAGE LAB-FOLDER        (image of the name server)
# Names come from the files in the folder, read whenever one appears or changes; all else goes to the machine's own resolvers.
set -eu
others=$(docker ps --all --filter label=estate-lab --format '{{.Label "estate-lab"}}' | grep -vxF "$2" | sed 's/^$/an unknown checkout/' | sort -u)
if [ -n "$others" ]; then
  echo "another lab is up on this machine, that of $others; take it down first: make lab-down, here or there" >&2
  exit 1
fi
network() { # network NAME FIRST-THREE-OCTETS
  docker network inspect "$1" >/dev/null 2>&1 && return
  docker network create --label estate-lab --subnet "$2.0/24" --gateway "$2.1" "$1" >/dev/null
  echo created
}
network estate-lab-private 10.77.0
network estate-lab-public 10.77.1

name=estate-lab-dns
running=$(docker container inspect --format '{{.State.Running}} {{.Config.Image}}' $name 2>/dev/null || true)
[ "$running" = "true $1" ] && exit 0
docker rm --force $name >/dev/null 2>&1 || true
docker create --name $name --label estate-lab="$2" --restart unless-stopped --network estate-lab-private --ip 10.77.0.2 \
  --cap-add NET_ADMIN --volume "$2/names":/names:ro "$1" --hostsdir=/names --domain-needed --local=/lab.test/ >/dev/null
docker network connect --ip 10.77.1.2 estate-lab-public $name
docker start $name >/dev/null
echo created
