#!/bin/sh
# A game server that is killed at random moments loses no acknowledged move,
# and the audit that says so can fail.
#
# usage: kill_game.sh [SEED]; STET_LONG=1 for ten times the rounds.
set -eu

game=$STET_BUILD/examples/card_game
[ -x "$game" ] || exit 77

case ${STET_PRESET:-dev} in
cov)
    echo "coverage counts nothing of who is killed"
    exit 77
    ;;
asan | tsan) rounds=10 ;;
*) rounds=50 ;;
esac
games=1
[ "${STET_LONG:-}" = 1 ] && games=10

# What fails is kept: a store that lost something is the best witness.
work=$(mktemp -d)
trap '[ $? -eq 0 ] && rm -rf "$work" || echo "kept in $work"' EXIT

for i in $(seq $games); do
    rm -rf "$work/torture"
    "$game" torture "$work/torture" --rounds $rounds --rooms 80 \
        ${1:+--seed "$1"}
done

store=$work/torture/store-1
ledger=$work/torture/ledger-1
"$game" check "$store" "$ledger"

# refuses STORE LEDGER WORDS: the audit fails and says so in these words.
refuses() {
    if "$game" check "$1" "$2" >"$work/said" 2>&1 ||
        ! grep -q "$3" "$work/said"; then
        head -n 20 "$work/said"
        echo "the audit does not say: $3"
        exit 1
    fi
}

# A promise that nobody kept, and one that was kept otherwise.
echo 'move 7 70 99999 0123456789abcdef play north turn turn' |
    cat "$ledger" - >"$work/broken"
refuses "$store" "$work/broken" 'LOST .*game:7 seq 70: acknowledged, but'
sed 's/^\(move 7 9 [0-9]* \)[0-9a-f]*/\10123456789abcdef/' "$ledger" \
    >"$work/broken"
refuses "$store" "$work/broken" 'game:7 seq 9: .*another state'
sed '/^move 7 9 /s/declaration/scoring/' "$ledger" >"$work/broken"
refuses "$store" "$work/broken" 'LOST .*game:7 seq 9: acknowledged "'

# A store that is whole in itself, but ends before the last promises.
"$game" serve "$work/young" --rooms 80 | head -n 2000 >"$work/said"
refuses "$work/young" "$ledger" 'LOST .*game:7 seq 69: acknowledged, but'
