/*
 * The commit pipeline (src/engine/pipeline.c over stores/embedded/write.c):
 * WRITERS callers make EVENTS events of one record each, a group takes two, and
 * DEPTH frames are in flight. Every order of their steps is tried, with a write
 * or a sync that fails once, the process killed or the power cut at any moment.
 *
 *   acknowledged or shown => in the durable prefix that the next open finds
 *   a frame on the disk never claims what is not there: no false CORRUPT
 *   nobody waits for ever (-DFUTEX: sleepers and wakes instead of crashes)
 *
 * -DLEVEL_OS: frames go to the page cache, the watermark follows writes, what
 * is called durable follows syncs. Frame TURN begins a segment.
 *
 * run EVENTS=4
 * run EVENTS=3 WRITERS=3
 * run EVENTS=4 LEVEL_OS
 * run EVENTS=4 FUTEX
 * long EVENTS=4 WRITERS=3
 * long EVENTS=3 WRITERS=3 LEVEL_OS
 * long EVENTS=3 WRITERS=3 FUTEX
 *
 * Mutants, each of which must be found:
 * mutant PUBLISH_ANY: publish what is written, not its longest prefix
 * mutant PUBLISH_EARLY: acknowledge before the write is done
 * mutant NO_FILL_WAIT: seal while a caller still copies his record
 * mutant SEAL_ANY_ORDER: two leaders seal at once
 * mutant SHOW_PENDING: readers are shown what is sequenced
 * mutant TURN_IN_FLIGHT: begin a segment with another frame in flight
 * mutant LEVEL_OS DURABLE_IS_WATERMARK: call durable what is published
 * mutant LEVEL_OS RETRY_SYNC: believe the sync after one that failed
 * mutant FUTEX WRITERS=3 WAKE_NO_LEADER: a publish wakes no leader
 * mutant FUTEX LOOK_THEN_READ_WORD: read the futex's word after the looks
 *
 * Not modelled: bytes, sizes, the queue's bound, deadlines, room.
 */
#ifndef EVENTS
#define EVENTS 3
#endif
#ifndef WRITERS
#define WRITERS 2
#endif
#define GROUP_EVENTS 2
#define DEPTH 2
#define TURN 1      /* this frame begins a segment */
#define NONE 255

mtype = { FREE, OPEN, CLOSED, WRITING, WRITTEN, LOST };

/* What a power cut makes of a frame: it is there, it may be, it is not. */
#define ABSENT 0
#define MAYBE 1     /* in the page cache, or being written */
#define CLEAN 2     /* a sync failed: in the cache, and no sync takes it on */
#define DURABLE 3

/* Written through the page cache, a frame survives its process. */
#ifdef LEVEL_OS
#define LEVEL_IS_OS true
#define SURVIVES_A_KILL(media) true
#else
#define LEVEL_IS_OS false
#define SURVIVES_A_KILL(media) false
#endif

typedef group_t {
    mtype state = FREE;
    byte first;
    byte count;
    byte fillers;
    byte word;      /* the futex */
    byte sleepers;
    byte tokens;    /* sleepers that were woken */
    byte media = ABSENT;
    byte claim;     /* "durable" of its frame header */
    byte previous;  /* the frame sealed before it: CRC of the previous frame */
    bool is_exact;  /* every record was in it when it was sealed */
};
group_t g[EVENTS];  /* the ring, unrolled: a group is used once */
byte head, tail;    /* oldest not FREE; one past the newest */
byte next, watermark, synced;
byte in_flight;
byte last_sealed = NONE;
bool is_sealing, is_poisoned, is_paused;
bool filled[EVENTS];
byte failures = 1;  /* writes and syncs that may fail */

#define NEWEST (tail - 1)
#define HAS_OPEN (tail > head && g[NEWEST].state == OPEN)

/* may_lead_locked; a turn is led with nothing in flight: pipeline (3). */
#ifdef TURN_IN_FLIGHT
#define TURN_OK true
#else
#define TURN_OK (NEWEST != TURN)
#endif
#ifdef SEAL_ANY_ORDER
#define MAY_SEAL true
#else
#define MAY_SEAL (!is_sealing)
#endif
#define MAY_LEAD (HAS_OPEN && MAY_SEAL && !is_paused && !is_poisoned && \
    in_flight < DEPTH && (in_flight == 0 || TURN_OK))

#ifdef SHOW_PENDING
#define SHOWN next
#else
#define SHOWN watermark
#endif

/* wake(): the word first, then futex_wake. Without FUTEX nobody sleeps. */
inline wake_all(k)
{
#ifdef FUTEX
    g[k].word++;
    atomic { g[k].tokens = g[k].tokens + g[k].sleepers; g[k].sleepers = 0 }
#else
    skip
#endif
}

inline wake_one(k)
{
#ifdef FUTEX
    g[k].word++;
    atomic {
        if
        :: g[k].sleepers > 0 -> g[k].sleepers--; g[k].tokens++
        :: else
        fi
    }
#else
    skip
#endif
}

inline wake_range(first, end)
{
#ifdef FUTEX
    do
    :: first < end -> wake_all(first); first++
    :: else -> break
    od;
#endif
    first = 0;
    end = 0
}

inline wake_leader()
{
    if
    :: woken != NONE -> wake_one(woken)
    :: else
    fi;
    woken = NONE
}

/* stet__pipeline_poison: the first cause stays, all groups are LOST. */
inline poison()
{
    atomic {
        is_poisoned = true;
        i = head;
        do
        :: i < tail -> g[i].state = LOST; i++
        :: else -> i = 0; break
        od
    }
    to = EVENTS;
    wake_range(from, to)
}

/* written(), publish_locked: the longest prefix of WRITTEN groups. */
inline publish(k)
{
    woken = NONE;
    atomic {
        from = head;
        if
        :: g[k].state == WRITING ->
            g[k].state = WRITTEN;
#ifdef PUBLISH_ANY
            watermark = g[k].first + g[k].count;
#endif
            do
            :: head < tail && g[head].state == WRITTEN ->
                assert(watermark >= g[head].first);
                if
                :: watermark < g[head].first + g[head].count ->
                    watermark = g[head].first + g[head].count
                :: else
                fi
                g[head].state = FREE;
                head++;
                in_flight--
            :: else -> break
            od
        :: else
        fi
        to = head;
#ifndef LEVEL_OS
        synced = watermark;
#endif
        if
#ifndef WAKE_NO_LEADER
        :: from < to && MAY_LEAD -> woken = NEWEST
#endif
        :: else
        fi
    }
    wake_range(from, to);
    wake_leader()
}

/* sealed(): the next leader may have waited for that alone. */
inline end_sealing(k)
{
    atomic {
        is_sealing = false;
        if
        :: g[k].state == CLOSED -> g[k].state = WRITING
        :: else
        fi
        woken = (MAY_LEAD -> NEWEST : NONE)
    }
    wake_leader()
}

/* stet__write_frame_seal, tail.c: what the frame says of itself and others. */
inline seal(k)
{
#ifdef DURABLE_IS_WATERMARK
    durable = watermark;
#else
    durable = synced;
#endif
    atomic {
        g[k].previous = last_sealed;
        last_sealed = k;
        g[k].claim = (k == TURN -> g[k].first : durable);
        durable = 0;
        g[k].is_exact = g[k].fillers == 0
    }
}

/* sync_older: everything in the page cache, which a failure leaves clean. */
inline sync_cache()
{
    atomic {
        if
        :: true ->
            is_failed = false;
            i = 0;
            do
            :: i < tail ->
                g[i].media = (g[i].media == MAYBE -> DURABLE : g[i].media);
                i++
            :: else -> i = 0; break
            od
        :: failures > 0 ->
            failures--;
            is_failed = true;
            i = 0;
            do
            :: i < tail ->
                g[i].media = (g[i].media == MAYBE -> CLEAN : g[i].media);
                i++
            :: else -> i = 0; break
            od
        fi
    }
#ifdef RETRY_SYNC
    is_failed = false; /* the second one has nothing to do, and says so */
#endif
}

/* stet__write_frame. */
inline write(k)
{
#ifdef LEVEL_OS
    if
    :: k == TURN -> sync_cache()
    :: else
    fi
    if
    :: !is_failed ->
        atomic {
            g[k].media = MAYBE;
            if
            :: k == TURN && synced < g[k].first -> synced = g[k].first
            :: else
            fi
        }
    :: else
    fi
#else
    g[k].media = MAYBE;
#ifdef PUBLISH_EARLY
    publish(k);
#endif
    atomic {
        if
        :: g[k].media = DURABLE
        :: failures > 0 -> failures--; g[k].media = CLEAN; is_failed = true
        fi
    }
#endif
}

/* stet__pipeline_lead, from close_for_lead on. */
inline lead()
{
    atomic {
        k = (MAY_LEAD -> NEWEST : NONE);
        if
        :: k != NONE ->
            g[k].state = CLOSED;
            in_flight++;
            is_sealing = true
        :: else
        fi
    }
    if
    :: k != NONE ->
#ifndef NO_FILL_WAIT
        g[k].fillers == 0; /* await_fillers */
#endif
        seal(k);
        end_sealing(k);
        is_failed = is_poisoned;
        if
        :: !is_failed -> write(k)
        :: else
        fi
        if
        :: is_failed -> is_failed = false; poison()
        :: else -> publish(k)
        fi
    :: else
    fi
}

/* stet__commit: room, take, fill; then stet__pipeline_wait. */
proctype writer()
{
    byte mine, at, k, i, word, from, to, durable;
    byte woken = NONE;
    bool is_failed;

again:
    /* stet__pipeline_room_locked and _take_locked, under seq. */
    atomic {
        if
        :: is_poisoned || next == EVENTS -> goto done
        :: !is_poisoned && next < EVENTS &&
           ((HAS_OPEN && g[NEWEST].count < GROUP_EVENTS) ||
            (!HAS_OPEN && tail - head < DEPTH + 1)) ->
            if
            :: !HAS_OPEN ->
                g[tail].state = OPEN;
                g[tail].first = next;
                tail++
            :: else
            fi
            at = NEWEST;
            mine = next;
            next++;
            g[at].count++;
            g[at].fillers++
        :: MAY_LEAD && g[NEWEST].count == GROUP_EVENTS -> goto make_room
        fi
    }
    atomic { filled[mine] = true; g[at].fillers-- }
    goto wait;
make_room: /* stet__pipeline_make_room */
    lead();
    goto again;
wait: /* stet__pipeline_wait */
#ifndef LOOK_THEN_READ_WORD
    word = g[at].word;
#endif
    if
    :: mine < watermark -> goto acknowledged
    :: else
    fi
    if
    :: is_poisoned ->
        if
        :: mine < watermark -> goto acknowledged
        :: else -> goto done /* UNKNOWN */
        fi
    :: else
    fi
    lead();
    if
    :: k != NONE -> goto wait
    :: else
    fi;
#ifdef FUTEX
#ifdef LOOK_THEN_READ_WORD
    word = g[at].word;
#endif
    atomic { /* futex_wait */
        if
        :: g[at].word == word -> g[at].sleepers++
        :: else -> goto wait
        fi
    }
    atomic { g[at].tokens > 0 -> g[at].tokens-- }
    goto wait;
#else
    mine < watermark || is_poisoned || MAY_LEAD -> goto wait;
#endif
acknowledged:
    atomic {
        assert(mine < watermark && filled[mine]);
        mine = 0; at = 0; k = 0; word = 0;
        goto again
    }
done:
    skip
}

#ifdef LEVEL_OS
/* stet__pipeline_sync: nothing in flight, then all that is published. */
proctype syncer()
{
    byte i, upto, from, to;
    byte woken = NONE;
    bool is_failed;

    atomic { is_paused = true; in_flight == 0 || is_poisoned }
    upto = watermark;
    if
    :: !is_poisoned ->
        sync_cache();
        if
        :: is_failed -> poison()
        :: else ->
            atomic { synced = (synced < upto -> upto : synced) }
        fi
    :: else
    fi
    atomic { is_paused = false; woken = (MAY_LEAD -> NEWEST : NONE) }
    wake_leader()
}
#endif

#ifndef FUTEX
/*
 * A crash at any moment, and what recover.c then finds: the frames from the
 * first one on that are whole and name each other; and of the rest any sound
 * one still says what it knew to be durable. It changes nothing, so that the
 * others go on as if it had not been.
 */
proctype crash()
{
    byte i, prefix, claimed;
    byte last = NONE;
    bool is_power, is_there;
    bool is_whole = true;

    do
    :: atomic {
        if
        :: is_power = true
        :: is_power = false
        fi
        do
        :: i < tail ->
            is_there = g[i].media == DURABLE || (g[i].media != ABSENT &&
                !is_power && SURVIVES_A_KILL(g[i].media));
            if
            :: is_there = is_there
            :: g[i].media == MAYBE || g[i].media == CLEAN -> is_there = true
            fi
            is_whole = is_whole && is_there && g[i].previous == last;
            last = i;
            if
            :: is_whole ->
                assert(g[i].is_exact);
                prefix = g[i].first + g[i].count
            :: else
            fi
            claimed = (is_there && g[i].claim > claimed -> g[i].claim : claimed);
            i++
        :: else -> break
        od
        assert(claimed <= prefix); /* (4): no false CORRUPT */
        assert(synced <= prefix);  /* and so the mark of `super` */
        assert(SHOWN <= prefix || (LEVEL_IS_OS && is_power));
        i = 0; prefix = 0; claimed = 0; last = NONE;
        is_power = false; is_there = false; is_whole = true
    }
    od
}
#endif

init {
    byte n;

    atomic {
        do
        :: n < WRITERS -> run writer(); n++
        :: else -> break
        od;
#ifdef LEVEL_OS
        run syncer();
#endif
#ifndef FUTEX
        run crash()
#endif
    }
}
