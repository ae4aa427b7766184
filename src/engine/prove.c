/*
 * Proofs: the settled events of a lineage. The oldest ancestor's come first,
 * and of each machine those that the next one inherited.
 */
#include <stet/proof.h>

#include <inttypes.h>
#include <string.h>

#include "base/arena.h"
#include "base/error.h"
#include "core/proof_check.h"
#include "engine/erasure.h"
#include "engine/load.h"
#include "engine/lost.h"
#include "engine/options.h"

/* One machine of the lineage. */
typedef struct ancestor {
    stet_machine_key key;
    uint64_t last_seq;      /* that the next machine inherits, or has */
    struct ancestor *child; /* NULL: the machine that is proven */
} ancestor;

typedef enum proof_state {
    AT_BEGIN = 1,
    AT_MACHINE = 2,
    AT_EVENTS = 3,
    AT_END = 4,
    AT_DONE = 5,
} proof_state;

struct stet_proof {
    stet *s;
    proof_state state;
    stet_arena arena;  /* of the machines */
    ancestor *machine; /* the one at hand */
    uint64_t parts;    /* begun */
    bool is_in_part;
    stet_log_cursor *links; /* of the machine; NULL: none are open */
    stet_chain chain;
    uint8_t seed[STET_CHAIN_BYTES]; /* of its salts */
    uint64_t seq;                   /* of the machine's last event taken */
    uint64_t cut_seq;               /* of the last one that was dropped */
    stet_buf line;
};

static stet_status no_memory(stet_error *err)
{
    return stet__fail(err, STET_E_NOMEM, 0, "no memory for a proof");
}

/* The links of a machine. */

static void close_links(stet_proof *p)
{
    if (p->links != NULL) {
        p->s->log->ops->chain_close(p->links);
        p->links = NULL;
    }
}

static stet_status open_links(stet_proof *p, stet_machine_key key,
                              stet_chain_end *out_end, stet_error *err)
{
    const stet_log_ops *ops = p->s->log->ops;
    close_links(p);
    stet_status st = ops->chain_open(p->s->log, key, out_end, &p->links, err);
    return st == STET_OK
               ? st
               : stet__wrap(err, st, "%s", stet__id_text(key.id).text);
}

static stet_status next_link(stet_proof *p, stet_chained *out, stet_record *r,
                             stet_error *err)
{
    size_t bytes = 0;
    stet_status st = p->s->log->ops->chain_next(p->links, out, err);
    return st == STET_OK ? stet__record_parse(out->logged.bytes, r, &bytes, err)
                         : st;
}

/* Lineage. */

static ancestor *add_machine(stet_proof *p, stet_machine_key key,
                             uint64_t last_seq)
{
    ancestor *part = stet__arena_alloc(&p->arena, sizeof *part);
    stet_slice id = stet__arena_copy(&p->arena, key.id);
    if (part != NULL && id.ptr != NULL) {
        *part = (ancestor){{.id = id, .ns = key.ns}, last_seq, p->machine};
        return part;
    }
    return NULL;
}

/*
 * Put the machine that the one at hand was forked from in front of it, until
 * there is none. Positions fall from one to the next, so there is an end.
 */
static stet_status add_ancestors(stet_proof *p, stet_error *err)
{
    uint64_t above = UINT64_MAX;
    for (;;) {
        stet_chained link;
        stet_record r = {0};
        stet_status st = next_link(p, &link, &r, err);
        if (st != STET_OK || (r.tags & 1U << STET_TAG_PARENT) == 0) {
            return st;
        }
        if (link.logged.position >= above) {
            return stet__fail(err, STET_E_CORRUPT, 0,
                              "position %" PRIu64 " was forked before",
                              link.logged.position);
        }
        above = link.logged.position;
        stet_machine_key key = {.id = r.parent_id, .ns = r.parent_ns};
        ancestor *parent = add_machine(p, key, r.parent_seq);
        if (parent == NULL) {
            return no_memory(err);
        }
        stet_chain_end end;
        p->machine = parent;
        st = open_links(p, parent->key, &end, err);
        if (st != STET_OK) {
            return st;
        }
    }
}

/* Lines. */

static stet_status begin_machine(stet_proof *p, stet_error *err)
{
    stet_chain_end end;
    stet_status st = open_links(p, p->machine->key, &end, err);
    if (st == STET_OK) {
        memset(p->chain.value, 0, sizeof p->chain.value);
        memset(p->seed, 0, sizeof p->seed);
        p->seq = 0;
        p->cut_seq = 0;
        p->is_in_part = false;
        p->state = AT_EVENTS;
    }
    return st;
}

static void end_machine(stet_proof *p)
{
    if (p->is_in_part) {
        stet__proof_put_head(&p->line, p->seq, p->chain.value);
    }
    p->machine = p->machine->child;
    p->state = p->machine == NULL ? AT_END : AT_MACHINE;
}

/* Have the chain draw the salts of the link's set. */
static void reseed(stet_proof *p, const stet_chained *link)
{
    if (p->seq == 0 || memcmp(p->seed, link->seed, sizeof p->seed) != 0) {
        memcpy(p->seed, link->seed, sizeof p->seed);
        stet__chain_reseed(&p->chain, p->seed, p->machine->key);
    }
}

/* What comes behind dropped events is a part of its own. */
static void drop_event(stet_proof *p, const uint8_t before[STET_CHAIN_BYTES])
{
    if (p->is_in_part) {
        stet__proof_put_head(&p->line, p->seq, before);
        p->is_in_part = false;
    }
}

static void put_event(stet_proof *p, uint64_t seq, const stet_leaf *leaf,
                      const uint8_t before[STET_CHAIN_BYTES])
{
    if (!p->is_in_part) {
        stet__proof_put_machine(&p->line, p->machine->key);
        if (p->cut_seq > 0) {
            stet__proof_put_cut(&p->line, p->cut_seq, before);
        }
        p->parts++;
        p->is_in_part = true;
    }
    stet_proof_event event = {
        .seq = seq,
        .header = leaf->header,
        .salt = leaf->is_erased ? NULL : leaf->salt,
        .body = leaf->body,
        .commitment = leaf->commitment,
        .value = p->chain.value,
    };
    stet__proof_put_event(&p->line, &event);
}

static stet_status take_link(stet_proof *p, stet_error *err)
{
    stet_chained link;
    stet_record r;
    stet_leaf leaf;
    uint8_t before[STET_CHAIN_BYTES];
    stet_status st = next_link(p, &link, &r, err);
    if (st == STET_DONE) {
        return stet__fail(err, STET_E_CORRUPT, 0, "%s ends before seq %" PRIu64,
                          stet__id_text(p->machine->key.id).text,
                          p->machine->last_seq);
    }
    if (st != STET_OK) {
        return st;
    }
    reseed(p, &link);
    memcpy(before, p->chain.value, sizeof before);
    stet_set_record record = {.bytes = link.logged.bytes,
                              .position = link.logged.position,
                              .recorded = link.logged.recorded};
    st = stet__chain_add_leaf(&p->chain, &record, &leaf, err);
    if (st != STET_OK) {
        return st;
    }
    /* Erased is not shown, also before it is taken from the files. */
    leaf.is_erased = leaf.is_erased || stet__lost_of(p->s, &r) == STET_E_ERASED;
    if (leaf.is_dropped) {
        drop_event(p, before);
        p->cut_seq = r.seq;
    } else if (link.has_value &&
               memcmp(link.value, p->chain.value, sizeof link.value) != 0) {
        return stet__fail(err, STET_E_CORRUPT, 0,
                          "%s: the hash chain does not fit event %" PRIu64,
                          stet__id_text(r.id).text, r.seq);
    } else {
        put_event(p, r.seq, &leaf, before);
    }
    p->seq = r.seq;
    return STET_OK;
}

/* Go on with what the next lines are made of; there may be none yet. */
static stet_status step(stet_proof *p, stet_error *err)
{
    switch (p->state) {
    case AT_BEGIN:
        stet__proof_put_begin(&p->line);
        p->state = AT_MACHINE;
        return STET_OK;
    case AT_MACHINE:
        return begin_machine(p, err);
    case AT_EVENTS:
        if (p->seq < p->machine->last_seq) {
            return take_link(p, err);
        }
        end_machine(p);
        return STET_OK;
    case AT_END:
        stet__proof_put_end(&p->line, p->parts);
        p->state = AT_DONE;
        return STET_OK;
    case AT_DONE:
        return STET_DONE;
    }
    return STET_DONE;
}

/* Public. */

/* Is this a machine of a store that settles? */
static stet_status check(stet *s, stet_slice id, uint8_t ns, stet_error *err)
{
    stet_status st = stet__id_check(id, ns, err);
    return st != STET_OK || s->log->ops->chain_open != NULL
               ? st
               : stet__fail(err, STET_E_UNSUPPORTED, 0,
                            "a %s store has no hash chains", s->log->ops->name);
}

/* Tell where the chain ends, and the history. */
static stet_status take_head(stet *s, stet_machine_key key,
                             const stet_chain_end *end, stet_chain_head *out,
                             stet_error *err)
{
    stet_point newest = {0};
    stet_status st = stet__find_point(
        s, key, &(stet_at){0}, stet__watermark(&s->pipeline), &newest, err);
    if (st == STET_OK) {
        out->seq = end->point.seq;
        out->position = end->point.position;
        out->newest_seq = newest.seq;
        memcpy(out->hash, end->value, sizeof out->hash);
    }
    return st;
}

stet_status stet_get_chain_head(stet *s, stet_slice id, uint8_t ns,
                                stet_chain_head *out, stet_error *err)
{
    stet__error_reset(err);
    stet_log_cursor *links = NULL;
    stet_chain_end end;
    stet_machine_key key = {.id = id, .ns = ns};
    stet_status st = check(s, id, ns, err);
    if (st == STET_OK) {
        st = s->log->ops->chain_open(s->log, key, &end, &links, err);
    }
    if (st != STET_OK) {
        return st;
    }
    s->log->ops->chain_close(links);
    return take_head(s, key, &end, out, err);
}

static stet_status begin(stet_proof *p, stet_machine_key key,
                         stet_chain_head *out_head, stet_error *err)
{
    stet_chain_end end;
    stet_status st = stet__chain_init(&p->chain, &p->s->alloc, err);
    if (st == STET_OK) {
        st = stet__erasures_load(p->s, err);
    }
    if (st == STET_OK) {
        st = open_links(p, key, &end, err);
    }
    if (st != STET_OK) {
        return st;
    }
    p->machine = add_machine(p, key, end.point.seq);
    if (p->machine == NULL) {
        return no_memory(err);
    }
    st = add_ancestors(p, err);
    return st == STET_OK && out_head != NULL
               ? take_head(p->s, key, &end, out_head, err)
               : st;
}

stet_status stet_proof_open(stet *s, stet_slice id, uint8_t ns,
                            stet_proof **out, stet_chain_head *out_head,
                            stet_error *err)
{
    stet__error_reset(err);
    stet_status st = check(s, id, ns, err);
    if (st != STET_OK) {
        return st;
    }
    stet_proof *p = stet__alloc_zeroed(&s->alloc, 1, sizeof *p);
    if (p == NULL) {
        return no_memory(err);
    }
    p->s = s;
    p->state = AT_BEGIN;
    stet__arena_init(&p->arena, &s->alloc);
    stet__buf_init(&p->line, &s->alloc);
    st = begin(p, (stet_machine_key){.id = id, .ns = ns}, out_head, err);
    if (st != STET_OK) {
        stet_proof_close(p);
        return st;
    }
    *out = p;
    return STET_OK;
}

stet_status stet_proof_next(stet_proof *proof, stet_slice *out, stet_error *err)
{
    stet__error_reset(err);
    stet__buf_reset(&proof->line);
    stet_status st = STET_OK;
    while (st == STET_OK && proof->line.len == 0 && !proof->line.is_failed) {
        st = step(proof, err);
    }
    if (st == STET_OK && proof->line.is_failed) {
        st = no_memory(err);
    }
    if (st == STET_OK) {
        *out = stet__buf_slice(&proof->line);
    }
    return st;
}

void stet_proof_close(stet_proof *proof)
{
    if (proof == NULL) {
        return;
    }
    stet *s = proof->s;
    close_links(proof);
    stet__chain_deinit(&proof->chain);
    stet__arena_deinit(&proof->arena);
    stet__buf_deinit(&proof->line);
    stet__free(&s->alloc, proof, sizeof *proof);
}

stet_status stet_proof_check_open(const stet_allocator *alloc,
                                  const stet_proof_check_opts *opts,
                                  stet_proof_check **out, stet_error *err)
{
    stet__error_reset(err);
    stet_proof_check_opts o;
    stet_status st = stet__options_copy(opts, sizeof o, &o, err);
    if (st != STET_OK) {
        return st;
    }
    stet_proof_check *c =
        stet__proof_check_create(alloc == NULL ? &stet__heap : alloc, &o);
    if (c == NULL) {
        return stet__fail(err, STET_E_NOMEM, 0, "no memory to check a proof");
    }
    *out = c;
    return STET_OK;
}

stet_status stet_proof_check_feed(stet_proof_check *check, stet_slice bytes,
                                  stet_error *err)
{
    stet__error_reset(err);
    return stet__proof_check_feed(check, bytes, err);
}

stet_status stet_proof_check_finish(stet_proof_check *check, stet_error *err)
{
    stet__error_reset(err);
    return stet__proof_check_finish(check, err);
}

void stet_proof_check_close(stet_proof_check *check)
{
    stet__proof_check_destroy(check);
}
