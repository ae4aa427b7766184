#include "core/skim.h"

#include <string.h>

#include "base/bytes.h"
#include "core/pointer.h"

/*
 * Of a text that is JSON and has no backslash: a string ends at the next quote,
 * and is what stands between. Of any other text what is found means nothing.
 */
typedef struct skim {
    const char *at;
    const char *end;
} skim;

static bool is_blank(char c)
{
    return c == ' ' || c == '\t' || c == '\n' || c == '\r';
}

/* Step over blanks and one character, if it is the one. */
static bool step(skim *s, char c)
{
    while (s->at < s->end && is_blank(*s->at)) {
        s->at++;
    }
    bool is_it = s->at < s->end && *s->at == c;
    s->at += is_it ? 1 : 0;
    return is_it;
}

static bool step_string(skim *s, stet_slice *out)
{
    if (!step(s, '"')) {
        return false;
    }
    const char *quote = memchr(s->at, '"', (size_t)(s->end - s->at));
    if (quote == NULL) {
        return false;
    }
    *out = stet_slice_of(s->at, (size_t)(quote - s->at));
    s->at = quote + 1;
    return true;
}

/* Step over a value and the comma behind it; false before a container. */
static bool step_plain(skim *s)
{
    stet_slice value;
    if (!step_string(s, &value)) {
        while (s->at < s->end && strchr("[]{}\",", *s->at) == NULL) {
            s->at++;
        }
    }
    return step(s, ',');
}

/* Step to the value of a member; false when a container comes before it. */
static bool step_to(skim *s, stet_slice member)
{
    stet_slice name;
    bool is_more = step(s, '{');
    while (is_more && step_string(s, &name) && step(s, ':')) {
        if (stet__slice_eq(name, member)) {
            return true;
        }
        is_more = step_plain(s);
    }
    return false;
}

static bool has(stet_slice text, stet_slice part)
{
    return memmem(text.ptr, text.len, part.ptr, part.len) != NULL;
}

/* The member that the first pointer names, if it names one of the document. */
static bool first_member(stet_slice pointers, stet_slice *out)
{
    const char *space = memchr(pointers.ptr, ' ', pointers.len);
    if (space != NULL) {
        pointers.len = (size_t)(space - (const char *)pointers.ptr);
    }
    return stet__pointer_next(&pointers, out) && pointers.len == 0 &&
           out->len > 0 && memchr(out->ptr, '~', out->len) == NULL;
}

bool stet__skim_says_no_other(stet_slice text, stet_slice pointers,
                              stet_slice known)
{
    stet_slice member;
    if (text.len == 0 || known.len == 0 || pointers.len == 0 ||
        !first_member(pointers, &member)) {
        return false;
    }
    const char *begin = text.ptr;
    skim s = {begin, begin + text.len};
    stet_slice value;
    if (!step_to(&s, member) || !step_string(&s, &value) ||
        !stet__slice_eq(value, known)) {
        return false;
    }
    /* A second member of that name would have the next pointer asked. */
    stet_slice rest = stet_slice_of(s.at, (size_t)(s.end - s.at));
    return !has(rest, member) && memchr(begin, '\\', text.len) == NULL;
}
