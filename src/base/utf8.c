#include "base/utf8.h"

#include <stdint.h>

/*
 * Decode the character at `p` of `left` > 0 bytes; returns the bytes it takes,
 * 0 when it is not one. RFC 3629, section 4: the second byte's range is what
 * shuts out overlong forms, surrogates and what lies above U+10FFFF.
 */
static size_t decode(const uint8_t *p, size_t left, uint32_t *out)
{
    uint8_t lead = p[0];
    if (lead < 0x80) {
        *out = lead;
        return 1;
    }
    size_t len = lead < 0xe0 ? 2 : lead < 0xf0 ? 3 : 4;
    if (lead < 0xc2 || lead > 0xf4 || left < len) {
        return 0;
    }
    uint8_t low = lead == 0xe0 ? 0xa0 : lead == 0xf0 ? 0x90 : 0x80;
    uint8_t high = lead == 0xed ? 0x9f : lead == 0xf4 ? 0x8f : 0xbf;
    if (p[1] < low || p[1] > high) {
        return 0;
    }
    uint32_t point = lead & (0x7fU >> len);
    for (size_t i = 1; i < len; i++) {
        if ((p[i] & 0xc0) != 0x80) {
            return 0;
        }
        point = (point << 6) | (p[i] & 0x3f);
    }
    *out = point;
    return len;
}

static bool is_control(uint32_t point)
{
    return point < 0x20 || (point >= 0x7f && point < 0xa0);
}

static bool is_text(stet_slice text, bool is_control_allowed)
{
    const uint8_t *p = text.ptr;
    size_t at = 0;
    while (at < text.len) {
        uint32_t point = 0;
        size_t len = decode(p + at, text.len - at, &point);
        if (len == 0 || (!is_control_allowed && is_control(point))) {
            return false;
        }
        at += len;
    }
    return true;
}

bool stet__utf8_is_valid(stet_slice text)
{
    return is_text(text, true);
}

bool stet__utf8_is_printable(stet_slice text)
{
    return is_text(text, false);
}
