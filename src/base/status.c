#include <stet/status.h>

const char *stet_status_name(stet_status status)
{
    switch (status) {
#define STET_STATUS_NAME(name, value, kind, text)                              \
    case name:                                                                 \
        return #name;
        STET_STATUS_MAP(STET_STATUS_NAME)
#undef STET_STATUS_NAME
    }
    return "STET_E_?";
}

const char *stet_status_text(stet_status status)
{
    switch (status) {
#define STET_STATUS_TEXT(name, value, kind, text)                              \
    case name:                                                                 \
        return text;
        STET_STATUS_MAP(STET_STATUS_TEXT)
#undef STET_STATUS_TEXT
    }
    return "unknown status";
}

stet_kind stet_status_kind(stet_status status)
{
    switch (status) {
#define STET_STATUS_KIND(name, value, kind, text)                              \
    case name:                                                                 \
        return kind;
        STET_STATUS_MAP(STET_STATUS_KIND)
#undef STET_STATUS_KIND
    }
    return STET_KIND_ENV;
}
