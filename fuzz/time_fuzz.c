/*
 * Time text: what is written reads back as the same time, whatever was read;
 * and years to seconds are those that the C library tells.
 */
#include "fuzz.h"

#include <string.h>
#include <time.h>

#include "base/bytes.h"
#include "base/timetext.h"

static void check_writing(int64_t ns)
{
    char text[STET_TIME_TEXT_MAX];
    char seconds[STET_TIME_TEXT_MAX];
    int64_t again = 0;
    stet__time_format(ns, text);
    FUZZ_CHECK(stet__time_parse_rfc3339(stet_str(text), &again));
    FUZZ_CHECK(again == ns);
    int64_t whole = ns / 1000000000 - (ns % 1000000000 < 0);
    struct tm parts;
    time_t since = (time_t)whole;
    FUZZ_CHECK(gmtime_r(&since, &parts) != NULL);
    FUZZ_CHECK(strftime(seconds, sizeof seconds, "%Y-%m-%dT%H:%M:%S", &parts) >
               0);
    FUZZ_CHECK(strncmp(text, seconds, strlen(seconds)) == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    fuzz f;
    fuzz_begin(&f, data, size);
    stet_slice text = fuzz_rest(&f);
    int64_t ns = INT64_MIN;
    int64_t either = INT64_MIN;
    bool is_date = stet__time_parse_rfc3339(text, &ns);
    bool is_unix = stet__time_parse_unix(text, &ns);
    FUZZ_CHECK(stet__time_parse(text, &either) == (is_date || is_unix));
    FUZZ_CHECK(either == ns);
    if (is_date || is_unix) {
        FUZZ_CHECK(is_date != is_unix);
        check_writing(ns);
    }
    if (text.len >= 8) {
        check_writing((int64_t)stet__get_u64le(text.ptr));
    }
    fuzz_end(&f);
    return 0;
}
