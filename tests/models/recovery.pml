/*
 * Open with recovery by copy (src/stores/embedded/recover.c, adopt.c, copy.c,
 * slots.c): a store whose last frames may be in the page cache only is opened
 * again and again, and each open may be cut short by a kill or a power cut
 * between any two of its writes and syncs, one of which may fail.
 *
 *   acknowledged or shown once => there, the same, after every open
 *   an open never answers CORRUPT, for nothing was damaged
 *   crashes use up no spare: each open that shows takes two at most
 *
 * The disk: each header, frame and slot of `super` is one unit, which programs
 * see in the page cache. A power cut carries a dirty unit over to the media,
 * leaves it or tears it; a sync that fails leaves units clean that are not on
 * the media. A header, and the frames that are its, are known by their salt.
 *
 * run PARTS
 * run WHOLE
 * long PARTS CRASHES=3
 * long WHOLE CRASHES=3
 *
 * Mutants, each of which must be found:
 * mutant PARTS SHOW_WITHOUT_COPY: show what may be in the page cache only
 * mutant PARTS NAME_ONCE: name the copy in one slot of super
 * mutant PARTS BELIEVE_SUPER: do not write again what was read of super
 * mutant PARTS NO_COPY_SYNC: name the copy before it is synced
 * mutant PARTS COUNT_ANY_COPY: count a copy that nobody names
 * mutant PARTS OLDER_SLOT_FIRST: begin with the older slot, sound or not
 * mutant WHOLE KEEP_CLAIMS: a copied frame still says what is durable
 * mutant PARTS REST_ON_NEW: name a last file with nothing known in it, too
 * mutant PARTS KEEP_DEAD: go on behind a last file without content
 * mutant WHOLE NAME_ONCE REMOVE_NAMED: remove a source that a slot names
 *
 * Not modelled: sealing and sets, clean ends, a lack of space, rot.
 */
#ifndef CRASHES
#define CRASHES 2
#endif
#define FILES (CRASHES + 4) /* 1 is a segment, the others are spares; 0 is none */
#define FRAMES 5     /* of one event each, by position */
#define SALTS 10
#define GENERATIONS 26
#define NOTHING 0    /* zeros, or torn: no salt, no generation */

#define HEADER FRAMES
#define UNIT(file, frame) ((file - 1) * (FRAMES + 1) + frame)
#define SLOT(slot) (UNIT(FILES, 0) + slot)
#define UNITS SLOT(2)

typedef header_t {   /* by salt */
    byte first;
    byte predecessor;
    byte end;        /* where the predecessor ends */
    byte copied_end;
    bool is_copy;
};
typedef content_t {  /* by salt: a salt's frame at a position is built once */
    byte value[FRAMES];
    byte claim[FRAMES]; /* "durable" */
};
typedef super_t { byte live; byte mark; };

header_t header_of[SALTS];
content_t content_of[SALTS];
super_t super_of[GENERATIONS];
byte salts = 1, generations;

byte cache[UNITS], media[UNITS];
bool dirty[UNITS];
bool name_cache[FILES], name_media[FILES];

byte owed;           /* positions acknowledged or shown */
byte value_of[FRAMES]; /* and what they hold */
byte values;
byte crashes = CRASHES;
byte failures = 1;
byte appends = 2;    /* of which each may begin a segment */
byte taken;          /* spares that were, by these or by an open that named one */

/* What an open learned and did. */
byte newer, next_slot, live, mark;
byte last, next, known, dead;
byte shown_of[FRAMES];  /* salts */
bool counts[FILES];
byte copy, source;      /* files */
byte salt, tries;
bool is_ok, is_mixed;

/* ---- the disk ---- */

inline put(unit, what)
{
    cache[unit] = what;
    dirty[unit] = true
}

/* fsync of the units [from, to); a failure is told once. */
inline sync_units(from, to)
{
    atomic {
        u = from;
        if
        :: is_ok = true;
            do
            :: u < to ->
                media[u] = (dirty[u] -> cache[u] : media[u]);
                dirty[u] = false;
                u++
            :: else -> break
            od
        :: failures > 0 -> /* the worst: nothing was carried over */
            failures--;
            is_ok = false;
            do
            :: u < to -> dirty[u] = false; u++
            :: else -> break
            od
        fi;
        u = 0
    }
}

inline sync_file(file)
{
    sync_units(UNIT(file, 0), UNIT(file + 1, 0))
}

inline power_cut()
{
    u = 0;
    do
    :: u < UNITS ->
        if
        :: dirty[u] -> media[u] = cache[u]
        :: dirty[u] -> media[u] = NOTHING
        :: true
        fi;
        cache[u] = media[u];
        dirty[u] = false;
        u++
    :: else -> break
    od;
    u = 1;
    do
    :: u < FILES ->
        if
        :: name_media[u] = name_cache[u]
        :: name_cache[u] = name_media[u]
        fi;
        u++
    :: else -> u = 0; break
    od
}

/* Between any two steps of an open it may be over. */
inline may_crash()
{
    if
    :: crashes > 0 -> goto crashed
    :: true
    fi
}

inline go_on_if_ok()
{
    if
    :: !is_ok -> goto failed
    :: else
    fi;
    may_crash()
}

/* ---- super: slots.c ---- */

#define IS_SOUND(slot) (cache[SLOT(slot)] != NOTHING)

/* stet__slots_read */
inline read_super()
{
    d_step {
        assert(IS_SOUND(0) || IS_SOUND(1)); /* else CORRUPT */
        newer = (IS_SOUND(1) && (!IS_SOUND(0) ||
                 cache[SLOT(1)] > cache[SLOT(0)]) -> 1 : 0);
#ifdef OLDER_SLOT_FIRST
        next_slot = 1 - newer;
#else
        next_slot = (IS_SOUND(1 - newer) -> newer : 1 - newer);
#endif
        live = super_of[cache[SLOT(newer)]].live;
        mark = super_of[cache[SLOT(newer)]].mark;
        is_mixed = !IS_SOUND(0) || !IS_SOUND(1) ||
            super_of[cache[SLOT(0)]].live != super_of[cache[SLOT(1)]].live
    }
}

/* stet__slots_write */
inline write_super(live_file, durable)
{
    d_step {
        generations++;
        assert(generations < GENERATIONS);
        super_of[generations].live = live_file;
        super_of[generations].mark = durable;
        put(SLOT(next_slot), generations);
        next_slot = 1 - next_slot
    }
    may_crash();
    sync_units(SLOT(0), SLOT(2));
    go_on_if_ok()
}

/* ---- looking: recover.c ---- */

#define SALT_OF(file) cache[UNIT(file, HEADER)]
#define HAS_FRAME(file, frame) \
    (SALT_OF(file) != NOTHING && cache[UNIT(file, frame)] == SALT_OF(file))

/* read_header, discount_recoveries: a copy that nobody names is a spare. */
inline find_counted()
{
    last = 0;
    f = FILES - 1;
    do
    :: f > 0 ->
        is_named = live == f;
        g = f + 1;
        do
        :: g < FILES ->
            is_named = is_named || (counts[g] &&
                header_of[SALT_OF(g)].predecessor == f);
            g++
        :: else -> break
        od;
#ifdef COUNT_ANY_COPY
        is_named = true;
#endif
        counts[f] = name_cache[f] && SALT_OF(f) != NOTHING &&
            (is_named || !header_of[SALT_OF(f)].is_copy);
        last = (counts[f] && last == 0 -> f : last);
        f--
    :: else -> break
    od;
    assert(live == 0 || counts[live]); /* check_named: else CORRUPT */
    assert(last != 0);
}

/* find_chain, read_chain: back from the last file, each up to its named end. */
inline read_chain()
{
    known = mark;
    next = 0;
    f = last;
    end = FRAMES;
    do
    :: f != 0 ->
        assert(counts[f]); /* else CORRUPT: the file is missing */
        p = header_of[SALT_OF(f)].first;
        known = (p > known -> p : known);
        if
        :: header_of[SALT_OF(f)].is_copy && live == f &&
           header_of[SALT_OF(f)].copied_end > known ->
            known = header_of[SALT_OF(f)].copied_end
        :: else
        fi;
        /* scan_frames; in the last file also what lies beyond. */
        is_whole = true;
        do
        :: p < end ->
            is_whole = is_whole && HAS_FRAME(f, p);
            if
            :: is_whole -> shown_of[p] = SALT_OF(f)
            :: else
            fi;
            if
            :: HAS_FRAME(f, p) &&
               content_of[SALT_OF(f)].claim[p] > known ->
                known = content_of[SALT_OF(f)].claim[p]
            :: else
            fi;
            p++;
            next = (is_whole && f == last -> p : next)
        :: else -> break
        od;
        assert(is_whole || f == last); /* else CORRUPT: goes on to `end` */
        next = (next < header_of[SALT_OF(f)].first && f == last ->
                header_of[SALT_OF(f)].first : next);
        end = header_of[SALT_OF(f)].end;
        f = header_of[SALT_OF(f)].predecessor
    :: else -> break
    od;
    assert(known <= next) /* else CORRUPT */
}

/* check_headless: what was durable in a file without a header. */
inline check_above()
{
    f = last + 1;
    do
    :: f < FILES ->
        p = 0;
        do
        :: p < FRAMES && name_cache[f] && !counts[f] ->
            s = cache[UNIT(f, p)];
            assert(s == NOTHING ||
                   content_of[s].claim[p] <= header_of[s].first);
            p++
        :: else -> break
        od;
        f++
    :: else -> break
    od
}

/* What is there must be what was told before. */
inline hold_to_what_is_owed()
{
    assert(next >= owed);
    p = 0;
    do
    :: p < owed ->
        assert(content_of[shown_of[p]].value[p] == value_of[p]);
        p++
    :: else -> break
    od
}

inline recovery_run()
{
    d_step {
        find_counted();
        read_chain();
        check_above();
        hold_to_what_is_owed();
        f = 0; g = 0; p = 0; s = 0; end = 0; is_named = false; is_whole = false
    }
}

/* ---- repairing: adopt.c, copy.c ---- */

/* is_last_dead: its header may be nowhere but in the page cache. */
inline drop_dead_file()
{
    d_step {
        dead = 0;
#ifndef KEEP_DEAD
        if
        :: header_of[SALT_OF(last)].first == next && last != live ->
            dead = last;
            counts[dead] = false;
            last = header_of[SALT_OF(dead)].predecessor
        :: else
        fi
#endif
    }
}

/* The lowest file above the chain that is none: take_spares. */
inline take_spare(out)
{
    d_step {
        out = (dead > last -> dead + 1 : last + 1);
        do
        :: out < FILES && !name_cache[out] -> out++
        :: else -> break
        od;
        assert(out <= 2 + taken) /* crashes used up none */
    }
}

/* Show what is there: from now on it is owed. */
inline publish()
{
    d_step {
        p = owed;
        do
        :: p < next -> value_of[p] = content_of[shown_of[p]].value[p]; p++
        :: else -> p = 0; break
        od;
        owed = next
    }
}

#ifdef WHOLE
#define IS_COPIED_WHOLE true
#else
#ifdef REST_ON_NEW
#define IS_COPIED_WHOLE false
#else
#define IS_COPIED_WHOLE (known == header_of[SALT_OF(last)].first)
#endif
#endif

/* fill, adopt_frame: the same frames under a fresh salt. */
inline build_copy()
{
    d_step {
        salt = salts;
        salts++;
        assert(salts <= SALTS);
        if /* plan_copy: no successor rests on a header that may be lost */
        :: IS_COPIED_WHOLE ->
            header_of[salt].first = header_of[SALT_OF(last)].first;
            header_of[salt].predecessor = header_of[SALT_OF(last)].predecessor;
            header_of[salt].end = header_of[SALT_OF(last)].end;
            source = last
        :: else ->
            header_of[salt].first = known;
            header_of[salt].predecessor = last;
            header_of[salt].end = known
        fi;
        header_of[salt].is_copy = true;
        header_of[salt].copied_end = next;
        p = 0;
        do
        :: p < FRAMES ->
            if
            :: p >= header_of[salt].first && p < next ->
                s = shown_of[p];
                content_of[salt].value[p] = content_of[s].value[p];
                content_of[salt].claim[p] = content_of[s].claim[p];
#ifndef KEEP_CLAIMS
                if
                :: content_of[s].claim[p] > header_of[salt].first ->
                    content_of[salt].claim[p] = header_of[salt].first
                :: else
                fi;
#endif
                shown_of[p] = salt;
                put(UNIT(copy, p), salt)
            :: else -> put(UNIT(copy, p), NOTHING) /* zeros to the end */
            fi;
            p++
        :: else -> p = 0; s = 0; break
        od
    }
}

/* write_copy: frames, sync; header, sync. */
inline write_copy()
{
    build_copy();
    may_crash();
#ifndef NO_COPY_SYNC
    sync_file(copy);
    go_on_if_ok();
#endif
    put(UNIT(copy, HEADER), salt);
    may_crash();
#ifndef NO_COPY_SYNC
    sync_file(copy);
    go_on_if_ok();
#endif
}

/* copy_uncertain, stet__copy_frames: both slots name it, then it is shown. */
inline recover_by_copy()
{
    take_spare(copy);
    write_copy();
    taken++;
    write_super(copy, next);
#ifndef NAME_ONCE
    write_super(copy, next);
#endif
    last = copy;
    live = copy;
    known = next
}

/* stet__embedded_remove_doomed: what a slot names stays. */
#define NAMES(slot, file) (super_of[cache[SLOT(slot)]].live == file)

inline remove(file)
{
    if
#ifndef REMOVE_NAMED
    :: file == 0 || NAMES(0, file) || NAMES(1, file)
#else
    :: file == 0
#endif
    :: else ->
        name_cache[file] = false;
        may_crash();
        d_step { name_media[file] = name_cache[file] } /* sync the folder */
    fi
}

/* ---- a life ---- */

/* Make the frame at `next`, in the file's salt. */
inline build_frame(of_salt)
{
    values++;
    content_of[of_salt].value[next] = values;
    content_of[of_salt].claim[next] = next;
    shown_of[next] = of_salt
}

/* A frame in the live segment, or the header of the next one with its first
 * frame in one write: room.c, write.c. Then it is acknowledged. */
inline append()
{
    if
    :: copy != 0 ->
        d_step {
            build_frame(SALT_OF(last));
            put(UNIT(last, next), SALT_OF(last))
        }
    :: else ->
        take_spare(copy);
        put(UNIT(copy, HEADER), NOTHING); /* stet__spare_rewrite */
        may_crash();
        sync_file(copy);
        go_on_if_ok();
        d_step {
            p = 0;
            do
            :: p < FRAMES -> put(UNIT(copy, p), NOTHING); p++
            :: else -> p = 0; break
            od
        }
        may_crash();
        sync_file(copy);
        go_on_if_ok();
        d_step {
            salt = salts;
            salts++;
            assert(salts <= SALTS);
            header_of[salt].first = next;
            header_of[salt].predecessor = last;
            header_of[salt].end = next;
            build_frame(salt);
            put(UNIT(copy, HEADER), salt);
            last = copy;
            taken++
        }
        may_crash(); /* a write that is killed is done in part */
        put(UNIT(copy, next), salt)
    fi;
    may_crash();
    sync_file(last);
    go_on_if_ok();
    next++;
    publish()
}

active proctype store()
{
    byte u, f, g, p, s, end;
    bool is_named, is_whole;

    /* What a first life left: positions 0 and 1 are acknowledged, 0 is known or
     * both are, and what was to be 2 is in the page cache, clean since its sync
     * failed, or dirty, or never was. */
    atomic {
        header_of[1].first = 0;
        salts = 2;
        p = 0;
        do
        :: p < 3 ->
            content_of[1].value[p] = p + 1;
            content_of[1].claim[p] = (p == 0 -> 0 : p - 1);
            p++
        :: else -> p = 0; break
        od;
        values = 3;
        content_of[1].claim[1] = 1;
        put(UNIT(1, HEADER), 1);
        put(UNIT(1, 0), 1);
        put(UNIT(1, 1), 1);
        super_of[1].live = 1;
        super_of[2].live = 1;
        if
        :: super_of[2].mark = 1
        :: super_of[2].mark = 2
        fi;
        super_of[1].mark = 1;
        generations = 2;
        put(SLOT(0), 1);
        put(SLOT(1), 2);
        do
        :: u < UNITS -> media[u] = cache[u]; dirty[u] = false; u++
        :: else -> u = 0; break
        od;
        if
        :: put(UNIT(1, 2), 1)
        :: cache[UNIT(1, 2)] = 1
        :: true
        fi;
        f = 1;
        do
        :: f < FILES -> name_cache[f] = true; name_media[f] = true; f++
        :: else -> f = 0; break
        od;
        owed = 2;
        value_of[0] = 1;
        value_of[1] = 2;
    }

open: /* open_writer: the folder is synced before it is believed */
    atomic {
        f = 1;
        do
        :: f < FILES -> name_media[f] = name_cache[f]; f++
        :: else -> f = 0; break
        od;
        copy = 0;
        source = 0
    }
    read_super();
    recovery_run();
    drop_dead_file();
#ifndef BELIEVE_SUPER
    write_super(live, known); /* rewrite_super */
    if
    :: is_mixed || dead != 0 -> write_super(live, known)
    :: else
    fi;
#endif
#ifdef SHOW_WITHOUT_COPY
    known = next;
#endif
    if
    :: next > known -> recover_by_copy()
    :: else
    fi;
    publish();
    remove(dead);
    remove(source);
    if
    :: next < FRAMES && appends > 0 ->
        appends--;
        append();
        if /* the keeper: super names it live, once or twice */
        :: write_super(last, next);
            if
            :: write_super(last, next)
            :: true
            fi
        :: true
        fi
    :: else
    fi;
    if
    :: crashes == 0 -> goto done
    :: else
    fi;
crashed:
    atomic {
        crashes--;
        if
        :: power_cut()
        :: true /* a kill */
        fi
    }
    goto open;
failed: /* poisoned: the process ends, and tries again */
    atomic {
        if
        :: crashes > 0 -> goto crashed
        :: else -> goto open
        fi
    }
done:
    skip
}
