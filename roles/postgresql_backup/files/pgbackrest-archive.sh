#!/bin/sh
# SPDX-FileCopyrightText: 2026 The retailerp.estate authors
# SPDX-License-Identifier: GPL-3.0-or-later
# What PostgreSQL calls for each file of its log (archive_command), in the data directory: pgbackrest-archive STANZA PATH NAME.
# Whatever it succeeds for, the server gives up.
stanza=$1 path=$2 name=$3
configuration=/etc/pgbackrest/pgbackrest.conf
spool=/var/spool/pgbackrest

call() { /usr/bin/pgbackrest --stanza="$stanza" "$@"; }

# The control backup.archive.dropped tells of it until every store has a backup that is younger.
note() { echo "$name" > "$spool/dropped"; }

push() {
  said=$(call archive-push "$path" 2>&1)
  code=$?
  [ -z "$said" ] || echo "$said" >&2
  case $said in *"dropped WAL file"*) note ;; esac
  return "$code"
}

# What is no segment pgBackRest writes anew at each attempt, and a store in which hosts may not overwrite (Azure, sp=rcl) refuses
# the second for ever, where another store had failed the first.
everywhere() {
  stores=$(sed -n 's/^repo\([0-9]*\)-type=.*/\1/p' "$configuration")
  [ -n "$stores" ] || return 1
  for store in $stores; do
    call --repo="$store" archive-get "$name" "$spool/history" && cmp -s "$path" "$spool/history" || return 1
  done
}

# PostgreSQL hands over histories first, and pgBackRest measures what waits by the first file: behind a history, which is small, the
# cap would never be reached, and the disk would fill.
past_the_cap() {
  cap=$(sed -n 's/^archive-push-queue-max=\([0-9]*\)MiB$/\1/p' "$configuration")
  set -- pg_wal/archive_status/*.ready
  [ $(($# * 16)) -gt "$cap" ] && note && echo "dropped $name because archive queue exceeded ${cap}MiB" >&2
}

case $name in
*.backup | *.partial) ;; # Nothing reads them by itself.
*.history) push || everywhere || past_the_cap ;;
*) push ;;
esac
