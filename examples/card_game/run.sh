#!/bin/sh
# The game server loses its life twice and no move: play, kill, audit, look back.
#
# usage: run.sh [SEED]; STET_BUILD is the folder of the build, STET the command.
set -eu

: "${STET_BUILD:=$(cd "$(dirname "$0")/../.." && pwd)/build/dev}"
: "${STET:=$STET_BUILD/stet}"
game=$STET_BUILD/examples/card_game
evening=$STET_BUILD/card_game
rm -rf "$evening"

"$game" play "$evening" --rooms 300 --workers 16 --kills 2 ${1:+--seed "$1"}

printf '\nOnce more by another process, from the files alone:\n'
"$game" check "$evening/store-1" "$evening/ledger-1"

printf '\n'
"$game" show "$evening/store-1" 17 --at 40

cat <<END

Look around:
  $STET machine history game:17 --store $evening/store-1
  $STET machine load game:17 --at 40 --store $evening/store-1
  $STET log flow --store $evening/store-1
END
