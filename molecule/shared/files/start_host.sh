#!/bin/sh
# Starts one host of the lab, unless it runs already; prints "created" when it was made anew.
# usage: start_host.sh NAME IMAGE PRIVATE-ADDRESS PUBLIC-ADDRESS|- RESOLVER OPTIONS-FILE [docker option ...]
set -eu
name=estate-lab-$1 host=$1 image=$2 private=$3 public=$4 resolver=$5 options=$6
shift 6
if docker container inspect "$name" >/dev/null 2>&1; then
  docker start "$name" >/dev/null
  exit 0
fi
# The options that suit this machine, one a line, become this script's arguments.
while IFS= read -r option; do set -- "$@" "$option"; done <"$options"
docker create --name "$name" --hostname "$host" --label estate-lab --restart unless-stopped \
  --network estate-lab-private --ip "$private" --env container=docker --env LAB_NAMESERVER="$resolver" \
  --sysctl net.ipv4.ip_forward=1 --tmpfs /run --tmpfs /run/lock --tmpfs /tmp \
  --volume "$name-docker":/var/lib/docker "$@" "$image" >/dev/null
if [ "$public" != - ]; then docker network connect --ip "$public" estate-lab-public "$name"; fi
docker start "$name" >/dev/null
echo created
