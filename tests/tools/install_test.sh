#!/bin/sh
# An installed stet serves C and C++, shared and static, without its sources.
#
# Most users meet the library through `make install` and pkg-config; a wrong
# path, a missing header or a private library left behind shows only there.
set -eu

cd "$(dirname "$0")/../.."
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
failed=0

# check NAME COMMAND...: one test, in the lines of cmocka.
check() {
    name=$1
    shift
    if "$@" >"$work/said" 2>&1; then
        echo "[       OK ] install_$name"
    else
        cat "$work/said"
        echo "[  FAILED  ] install_$name"
        failed=1
    fi
}

cat >"$work/use.c" <<'C'
#include <stdio.h>
#include <string.h>

#include <stet/stet.h>

/* Saves in one opening of the store and reads it back in the next. */
int main(int argc, char **argv)
{
    const char *dir = argc > 1 ? argv[1] : "store";
    const char *text = "{\"turn\":1}";
    stet *s;
    stet_error err;
    const stet_state *state;

    if (stet_open(dir, NULL, &s, &err) != STET_OK ||
        stet_save(s, stet_str("game:1"), stet_str(text), NULL, NULL, &err) !=
            STET_OK ||
        stet_close(s, &err) != STET_OK ||
        stet_open(dir, NULL, &s, &err) != STET_OK ||
        stet_load(s, stet_str("game:1"), NULL, &state, &err) != STET_OK) {
        fprintf(stderr, "%s\n", err.text);
        return 1;
    }
    if (state->state_data.len != strlen(text) ||
        memcmp(state->state_data.ptr, text, strlen(text)) != 0) {
        fprintf(stderr, "another state came back\n");
        return 1;
    }
    stet_state_release(state);
    return stet_close(s, &err) == STET_OK ? 0 : 1;
}
C

cat >"$work/configured.c" <<'C'
#include <stdio.h>

#include <stet/config.h>
#include <stet/stet.h>

/* Opens the store that a configuration of its own says. */
int main(int argc, char **argv)
{
    stet_config_setting where = {"store", NULL};
    stet_config_load_opts from = {0};
    stet_config *config;
    stet_opts opts = STET_OPTS_INIT;
    stet *s;
    stet_error err;

    where.value = argc > 1 ? argv[1] : "store";
    from.struct_size = sizeof from;
    from.settings = &where;
    from.setting_count = 1;
    if (stet_config_load(NULL, NULL, &from, &config, &err) != STET_OK ||
        stet_config_opts(config, &opts, &err) != STET_OK ||
        stet_open(stet_config_url(config, NULL), &opts, &s, &err) != STET_OK ||
        stet_close(s, &err) != STET_OK) {
        fprintf(stderr, "%s\n", err.text);
        return 1;
    }
    stet_config_destroy(config);
    return 0;
}
C

# use NAME COMPILER...: compile the program and run it on a fresh store.
use() {
    name=$1
    shift
    "$@" -o "$work/$name" && "$work/$name" "$work/$name.store"
}

# Nothing that is installed may need or name the folder it was built in.
is_clean() {
    ! grep -rl "$(pwd)" "$1"
}

is_hardened() {
    readelf -h "$1" | grep -q 'Type: *DYN' &&
        readelf -d "$1" | grep -q BIND_NOW &&
        readelf -W -l "$1" | grep 'GNU_STACK' | grep -q 'RW ' &&
        readelf -W -s "$1" | grep -q '__stack_chk_fail'
}

prefix=$work/usr
make -s install PREFIX="$prefix" >"$work/said" 2>&1 || {
    cat "$work/said"
    exit 1
}
export PKG_CONFIG_PATH="$prefix/lib/pkgconfig"
strict='-Wall -Wextra -pedantic -Werror'
shared="$(pkg-config --cflags --libs stet) -Wl,-rpath,$prefix/lib"
static="$(pkg-config --cflags stet) -Wl,-Bstatic -lstet -Wl,-Bdynamic"
static="$static $(pkg-config --static --libs stet)"
configured="$(pkg-config --cflags --libs stet-config) -Wl,-rpath,$prefix/lib"
configured_static="-Wl,-Bstatic -lstet-config -lstet -Wl,-Bdynamic"
configured_static="$configured_static $(pkg-config --static --libs stet-config)"
configured_static="$(pkg-config --cflags stet-config) $configured_static"

# What the README says, where /usr/local and the cache of the dynamic linker
# are our own. An installation that is not in that cache cannot be run.
follow_readme() {
    unshare --mount sh -euc '
        cp -a /etc "$0/etc"
        mount --bind "$0/etc" /etc
        mount -t tmpfs none /usr/local
        make -s install PREFIX=/usr/local
        cp examples/first/main.c "$0/first.c"
        cd "$0"
        unset PKG_CONFIG_PATH
        cc first.c $(pkg-config --cflags --libs stet)
        [ "$(./a.out)" = "{\"turn\":0}" ]
        stet --store games machine load game:1
    ' "$work"
}

if unshare --mount mount -t tmpfs none /usr/local 2>/dev/null; then
    check serves_the_readme follow_readme
else
    echo "[  SKIPPED ] install_serves_the_readme"
fi
check serves_c11 use c11 gcc -std=c11 $strict "$work/use.c" $shared
check serves_cxx17 use cxx17 g++ -std=c++17 -xc++ $strict "$work/use.c" $shared
check serves_static_c17 use c17 gcc -std=c17 $strict "$work/use.c" $static
check serves_configuration use conf gcc -std=c11 $strict "$work/configured.c" \
    $configured
check serves_static_configuration use confs gcc -std=c17 $strict \
    "$work/configured.c" $configured_static
check command_runs "$prefix/bin/stet" help
check has_man_page grep -q '^\.TH' "$prefix/share/man/man1/stet.1"
check has_completion bash -n "$prefix/share/bash-completion/completions/stet"
check names_no_build_folder is_clean "$prefix"
check hardens_command is_hardened "$prefix/bin/stet"
check hardens_library is_hardened "$prefix/lib/libstet.so.0"
check hardens_configuration is_hardened "$prefix/lib/libstet-config.so.0"

# The same files as without it, and paths that do not know of it.
is_staged() {
    make -s install DESTDIR="$work/root" PREFIX=/usr &&
        (cd "$prefix" && find . | sort) >"$work/installed" &&
        (cd "$work/root/usr" && find . | sort) | diff "$work/installed" - &&
        grep -q '^prefix=/usr$' "$work/root/usr/lib/pkgconfig/stet.pc" &&
        ! grep -rl "$work" "$work/root"
}

check stages_below_destdir is_staged

exit $failed
