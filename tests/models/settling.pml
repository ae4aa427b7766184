/*
 * Settling (src/stores/embedded/settle*.c, log.c, recover.c): segments 1 and 2,
 * at rest also the last one, 3, become set 4, while readers of this process
 * hold file tables and a reader of another one opens what it finds; the power
 * may be cut, or the process killed, at any moment.
 *
 *   whatever is cut off, the next open finds each position once
 *   a file that a slot of `super` names is there
 *   a reader's table holds open files until he gives it back
 *   another process is never told of damage
 *
 * Names change in the page cache first; a power cut keeps any of the changes
 * that the folder was not synced after. Each file holds one position, the set
 * those of its segments.
 *
 * run CUT SETTLED=2
 * run CUT SETTLED=3
 * run LOCAL SETTLED=2
 * run FOREIGN SETTLED=2
 * run FOREIGN SETTLED=3
 * long LOCAL SETTLED=2 READERS=4
 *
 * Mutants, each of which must be found:
 * mutant CUT SETTLED=2 NAME_UNSYNCED: name the set before it is synced (S1)
 * mutant CUT SETTLED=2 REMOVE_UNSYNCED: remove before that name is durable (S2)
 * mutant CUT SETTLED=2 REMOVE_FIRST: remove the segments, then name the set
 * mutant CUT SETTLED=3 WRITE_SUPER_ONCE REMOVE_NAMED: remove what a slot names
 * mutant LOCAL SETTLED=2 LEND_UNCOUNTED: lend a table without a reference
 * mutant LOCAL SETTLED=2 CLOSE_AT_SWAP: close segments that leave the table
 * mutant FOREIGN SETTLED=2 BELIEVE_ONE_LOOK: tell of damage that was seen once
 *
 * Not modelled: what is dropped and what pins it, segments that become spares,
 * records, directories, jumps.
 */
#ifndef READERS
#define READERS 3
#endif
#define SET 4
#define FILES 5     /* from 1 on */
#define LAST 3      /* the last segment */
#define OLD 0       /* tables */
#define NEW 1

/* Changes of names, and whether the folder was synced after them. */
mtype = { NO, CACHED, SYNCED };
mtype named = NO;            /* rename tmp-4 to 4.set */
mtype removed[FILES] = NO;   /* unlink */
bool is_synced;              /* the set's content */

/* The live file that each slot names, on the media; 0: none. */
byte slot[2] = LAST;
bool is_writing[2];          /* torn or not: nobody knows */
byte generation;

/* In memory: stet_files and stet_segment. */
byte table = OLD;
byte table_refs[2] = 1;
byte file_refs[FILES];

#define IS_IN(t, file) \
    ((t == OLD && file < SET) || \
     (t == NEW && (file == SET || file > SETTLED) && file <= SET))
#define IS_THERE(file) (file == SET -> named != NO : removed[file] == NO)

/* ---- the worker ---- */

/* stet__embedded_unlend, stet__files_destroy, stet__segment_unref. */
inline unlend(t)
{
    atomic {
        table_refs[t]--;
        if
        :: table_refs[t] == 0 ->
            n = 1;
            do
            :: n < FILES ->
                file_refs[n] = (IS_IN(t, n) -> file_refs[n] - 1 :
                                               file_refs[n]);
                n++
            :: else -> n = 0; break
            od
        :: else
        fi
    }
}

/* stet__embedded_replace_many, rebuild: under `files`. */
inline swap()
{
    atomic {
        table_refs[NEW] = 1;
        n = 1;
        do
        :: n < FILES ->
            file_refs[n] = (IS_IN(NEW, n) -> file_refs[n] + 1 : file_refs[n]);
            n++
        :: else -> n = 0; break
        od;
        table = NEW
#ifdef CLOSE_AT_SWAP
        ;file_refs[1] = 0;
        file_refs[2] = 0
#endif
    }
#ifndef CLOSE_AT_SWAP
    unlend(OLD)
#endif
}

/* stet__slots_write: the older slot; it may be torn until it is synced. */
inline write_super(older, live)
{
    atomic { is_writing[older] = true; generation++ }
    atomic { is_writing[older] = false; slot[older] = live }
}

inline sync_folder()
{
    atomic {
        named = (named == CACHED -> SYNCED : named);
        n = 1;
        do
        :: n < FILES ->
            removed[n] = (removed[n] == CACHED -> SYNCED : removed[n]);
            n++
        :: else -> n = 0; break
        od
    }
}

/* stet__embedded_remove_doomed: what a slot names stays. */
inline remove_doomed()
{
    f = 1;
    do
    :: f <= SETTLED ->
        if
#ifndef REMOVE_NAMED
        :: slot[0] == f || slot[1] == f
#endif
        :: else -> removed[f] = CACHED
        fi;
        f++
    :: else -> f = 0; break
    od;
    sync_folder()
}

proctype worker()
{
    byte f, n;

#ifndef NAME_UNSYNCED
    is_synced = true; /* write_index: sync and read back */
#endif
#ifdef REMOVE_FIRST
    remove_doomed();
#endif
    named = CACHED;   /* name_file */
#ifndef REMOVE_UNSYNCED
    sync_folder();
#endif
    swap();           /* install */
#if SETTLED == LAST
    write_super(0, 0);
#ifndef WRITE_SUPER_ONCE
    write_super(1, 0);
#endif
#endif
    remove_doomed()
}

/* ---- who reads in this process: stet__embedded_lend ---- */

proctype reader()
{
    byte mine, f, n;

    atomic {
        mine = table;
#ifndef LEND_UNCOUNTED
        table_refs[mine]++
#endif
    }
    f = 1;
    do
    :: f < FILES ->
        assert(!IS_IN(mine, f) || file_refs[f] > 0); /* pread */
        f++
    :: else -> break
    od;
#ifndef LEND_UNCOUNTED
    unlend(mine)
#endif
}

/* ---- who reads in another: open_reader, look_once ---- */

proctype foreigner()
{
    byte before, now, seen_generation, order, f;
    bool found[FILES];

look:
    before = now;
    now = 0;
    seen_generation = generation;
    /* A listing takes its time, and goes this way or that. */
    if
    :: order = 0
    :: order = 1
    fi;
    f = 1;
    do
    :: f < FILES ->
        atomic {
            found[(order == 0 -> f : FILES - f)] =
                IS_THERE((order == 0 -> f : FILES - f));
            f++
        }
    :: else -> break
    od;
    /* Opened as listed; a set stands for its segments: find_link. */
    f = 1;
    do
    :: f < FILES && now == 0 ->
        atomic {
            if
            :: (f == SET || f > SETTLED || !found[SET]) &&
               (f < SET || found[SET]) && (!found[f] || !IS_THERE(f)) ->
                now = f
            :: else
            fi;
            f++
        }
    :: else -> break
    od;
    atomic {
        if
        :: now == 0 -> goto done
#ifdef BELIEVE_ONE_LOOK
        :: else -> assert(false)
#else
        :: now != 0 && now == before && seen_generation == generation ->
            assert(false) /* told of damage */
        :: else -> goto look
#endif
        fi
    }
done:
    skip
}

/* ---- a crash at any moment; it changes nothing ---- */

#define MAY_BE(op, is_power, chance) \
    (op == SYNCED || (op == CACHED && (!is_power || chance)))

proctype crash()
{
    byte n, live;
    bool is_power, is_set, is_sound, chance;
    bool is_gone[FILES];

    do
    :: atomic {
        if
        :: is_power = true
        :: is_power = false
        fi;
        if
        :: chance = true
        :: chance = false
        fi;
        is_set = MAY_BE(named, is_power, chance);
        n = 1;
        do
        :: n < FILES ->
            if
            :: chance = true
            :: chance = false
            fi;
            is_gone[n] = MAY_BE(removed[n], is_power, chance);
            n++
        :: else -> break
        od;
        is_sound = is_set && (is_synced || !is_power);
        /* read_chain: a sound set wins, else its segments must be there. */
        assert(is_sound || (!is_gone[1] && !is_gone[2]));
        assert((is_sound && SETTLED == LAST) || !is_gone[LAST]);
        /* check_named, for either slot: the other one may be torn. */
        n = 0;
        do
        :: n < 2 ->
            live = slot[n];
            assert(is_writing[n] || live == 0 || !is_gone[live]);
            n++
        :: else -> break
        od;
        n = 0; live = 0; is_power = false; is_set = false; is_sound = false;
        chance = false;
        is_gone[1] = false; is_gone[2] = false; is_gone[3] = false;
        is_gone[4] = false
    }
    od
}

init {
    byte n;

    atomic {
        file_refs[1] = 1;
        file_refs[2] = 1;
        file_refs[3] = 1;
        run worker();
#ifdef LOCAL
        do
        :: n < READERS -> run reader(); n++
        :: else -> break
        od;
#endif
#ifdef FOREIGN
        run foreigner();
#endif
#ifdef CUT
        run crash();
#endif
        skip
    }
}
