#include "cli/text.h"

#include <string.h>

#include "base/utf8.h"
#include "cli/cli.h"

size_t text_char_bytes(stet_slice text)
{
    if (text.len == 0) {
        return 0;
    }
    unsigned char lead = *(const unsigned char *)text.ptr;
    size_t bytes = lead < 0x80 ? 1 : lead < 0xe0 ? 2 : lead < 0xf0 ? 3 : 4;
    if (bytes > text.len ||
        !stet__utf8_is_valid(stet_slice_of(text.ptr, bytes))) {
        return 0;
    }
    return bytes;
}

void cli_put_text(FILE *out, stet_slice text)
{
    const char *p = text.ptr;
    const char *end = p + text.len;
    while (p < end) {
        size_t bytes = text_char_bytes(stet_slice_of(p, (size_t)(end - p)));
        if (bytes > 0 && stet__utf8_is_printable(stet_slice_of(p, bytes))) {
            fwrite(p, 1, bytes, out);
            p += bytes;
        } else {
            fprintf(out, "\\x%02x", (unsigned char)*p++);
        }
    }
}

void text_indent(FILE *out, int count)
{
    fprintf(out, "%*s", count, "");
}

/* Bytes of the next piece, which is not broken. */
static int piece_bytes(const char *p)
{
    int len = (int)strcspn(p, " \n|");
    return p[len] == '|' ? len + 1 : len;
}

void text_wrap(FILE *out, const char *words, int indent, int at)
{
    int column = at;
    int gap = 0; /* spaces owed before the next piece, if it stays here */
    const char *p = words;
    while (*p != '\0') {
        if (*p == '\n') {
            fputc('\n', out);
            text_indent(out, p[1] == '\n' ? 0 : indent);
            column = indent;
            gap = 0;
            p++;
            continue;
        }
        int len = piece_bytes(p);
        if (column + gap + len >= TEXT_COLUMNS && column > indent) {
            fputc('\n', out);
            text_indent(out, indent);
            column = indent;
            gap = 0;
        }
        fprintf(out, "%*s%.*s", gap, "", len, p);
        column += gap + len;
        p += len;
        gap = *p == ' ';
        p += gap;
    }
    fputc('\n', out);
}
