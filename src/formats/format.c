#include "formats/format.h"

#include "base/assert.h"

const char *stet__format_name(stet_format format)
{
    switch (format) {
    case STET_FORMAT_XES:
        return "xes";
    case STET_FORMAT_CSV:
        return "csv";
    case STET_FORMAT_JSONL:
        return "jsonl";
    }
    STET_ASSERT(false); /* the enum is closed */
    return "";
}

static char lower(char c)
{
    return c >= 'A' && c <= 'Z' ? (char)(c - 'A' + 'a') : c;
}

/* Does the text end so, in whatever case? `ending` is in lower case. */
static bool ends_with(stet_slice text, const char *ending)
{
    const char *p = text.ptr;
    size_t len = strlen(ending);
    if (text.len < len) {
        return false;
    }
    for (size_t i = 0; i < len; i++) {
        if (lower(p[text.len - len + i]) != ending[i]) {
            return false;
        }
    }
    return true;
}

bool stet__format_of_path(stet_slice path, stet_format *out)
{
    static const struct {
        const char *ending;
        stet_format format;
    } endings[] = {
        {".xes", STET_FORMAT_XES},         {".csv", STET_FORMAT_CSV},
        {".jsonl", STET_FORMAT_JSONL},     {".ndjson", STET_FORMAT_JSONL},
        {".jsonlines", STET_FORMAT_JSONL},
    };
    if (ends_with(path, ".gz")) {
        path.len -= 3;
    }
    for (size_t i = 0; i < sizeof endings / sizeof endings[0]; i++) {
        if (ends_with(path, endings[i].ending)) {
            *out = endings[i].format;
            return true;
        }
    }
    return false;
}
