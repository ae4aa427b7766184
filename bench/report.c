#include "report.h"

#include <string.h>
#include <sys/utsname.h>
#include <sys/vfs.h>
#include <time.h>
#include <unistd.h>

#include "ref.h"

/* gcc does not say its name, others do. */
#ifdef __clang__
#define COMPILER __VERSION__
#else
#define COMPILER "gcc " __VERSION__
#endif

/* ---- JSON ---- */

static void put_text(FILE *out, const char *name, const char *text)
{
    fprintf(out, "\"%s\":\"", name);
    for (const char *c = text; *c != '\0'; c++) {
        if (*c == '"' || *c == '\\') {
            fputc('\\', out);
        }
        fputc((unsigned char)*c < ' ' ? ' ' : *c, out);
    }
    fputc('"', out);
}

static void put_number(FILE *out, const char *name, double value)
{
    fprintf(out, ",\"%s\":%.6g", name, value);
}

static void put_bool(FILE *out, const char *name, bool is_true)
{
    fprintf(out, ",\"%s\":%s", name, is_true ? "true" : "false");
}

static void put_size(FILE *out, const char *name, uint32_t value)
{
    if (value != 0) {
        fprintf(out, ",\"%s\":%u", name, value);
    }
}

/* ---- the machine ---- */

static void copy_line(char *out, size_t cap, const char *from)
{
    size_t len = strcspn(from, "\n");
    len = len < cap - 1 ? len : cap - 1;
    memcpy(out, from, len);
    out[len] = '\0';
}

static void processor_name(char *out, size_t cap)
{
    char line[256];
    copy_line(out, cap, "unknown");
    FILE *file = fopen("/proc/cpuinfo", "re");
    while (file != NULL && fgets(line, sizeof(line), file) != NULL) {
        const char *colon = strchr(line, ':');
        if (strncmp(line, "model name", 10) == 0 && colon != NULL) {
            copy_line(out, cap, colon + 2);
            break;
        }
    }
    if (file != NULL) {
        fclose(file);
    }
}

static const char *file_system_name(const char *path, char *out, size_t cap)
{
    static const struct {
        unsigned long magic;
        const char *name;
    } known[] = {
        {0xef53, "ext4"},      {0x58465342, "xfs"},     {0x9123683e, "btrfs"},
        {0x01021994, "tmpfs"}, {0x794c7630, "overlay"}, {0x2fc12fc1, "zfs"},
        {0xf2f52010, "f2fs"},  {0x6969, "nfs"},
    };
    struct statfs info;
    if (statfs(path, &info) != 0) {
        return "unknown";
    }
    unsigned long magic = (unsigned long)info.f_type & 0xffffffff;
    for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++) {
        if (known[i].magic == magic) {
            return known[i].name;
        }
    }
    snprintf(out, cap, "0x%lx", magic);
    return out;
}

static void print_table_head(FILE *out)
{
    fputs("| row                  |      rate/s |    p50 us |    p99 us "
          "|  ref rate |    ref us | measure             |     value "
          "| first mark         | goal               |\n"
          "|----------------------|------------:|----------:|----------:"
          "|----------:|----------:|---------------------|----------:"
          "|--------------------|--------------------|\n",
          out);
}

void report_machine(const report *p, const machine_facts *facts)
{
    FILE *out = p->json;
    char processor[128];
    char file_system[24];
    char when[32];
    struct utsname system;
    time_t now = time(NULL);
    struct tm day;
    strftime(when, sizeof(when), "%Y-%m-%dT%H:%M:%SZ", gmtime_r(&now, &day));
    processor_name(processor, sizeof(processor));
    (void)uname(&system); /* fails for a bad address only */
    fputs("{\"row\":\"machine\",", out);
    put_text(out, "command", facts->command);
    fputc(',', out);
    put_text(out, "time", when);
    fputc(',', out);
    put_text(out, "stet", stet_version());
    fputc(',', out);
    put_text(out, "compiler", COMPILER);
    fputc(',', out);
    put_text(out, "processor", processor);
    put_number(out, "cores", (double)sysconf(_SC_NPROCESSORS_ONLN));
    put_number(out, "memory_mib",
               (double)(sysconf(_SC_PHYS_PAGES) / 1024 *
                        (sysconf(_SC_PAGESIZE) / 1024)));
    fprintf(out, ",\"kernel\":\"%s %s %s\",", system.sysname, system.release,
            system.machine);
    put_text(out, "file_system",
             file_system_name(p->run->dir, file_system, sizeof(file_system)));
    fputc(',', out);
    put_text(out, "level", stet_level_name(facts->info.level));
    put_bool(out, "is_direct", facts->info.is_direct);
    put_bool(out, "is_quick", p->run->is_quick);
    put_number(out, "window_s", (double)p->run->window_ns / 1e9);
    put_number(out, "clock_ns", facts->clock_ns);
    put_number(out, "ref_rate", figures_rate(facts->ref));
    put_number(out, "ref_p50_us",
               (double)hist_at(&facts->ref->latency, 0.5) / 1e3);
    fputs("}\n", out);
    fflush(out);
    if (p->table != NULL) {
        print_table_head(p->table);
    }
}

/* ---- marks ---- */

static double per_ref(const bench_row *row, const take *t)
{
    double batch = row->sizes.batch == 0 ? 1 : row->sizes.batch;
    return figures_rate(&t->figures) / (figures_rate(&t->ref) * batch);
}

static double percentile_us(const figures *f, double share)
{
    return (double)hist_at(&f->latency, share) / 1e3;
}

static double fact_named(const figures *f, const char *name)
{
    for (size_t i = 0; i < f->fact_count; i++) {
        if (strcmp(f->facts[i].name, name) == 0) {
            return f->facts[i].value;
        }
    }
    return 0;
}

static double measured(const bench_row *row, const mark *m, const take *t)
{
    switch (m->metric) {
    case METRIC_NONE:
        return 0;
    case METRIC_RATE:
        return figures_rate(&t->figures);
    case METRIC_RATE_PER_REF:
        return per_ref(row, t);
    case METRIC_P50_PER_REF:
        return percentile_us(&t->figures, .5) / percentile_us(&t->ref, .5);
    case METRIC_P50_US:
        return percentile_us(&t->figures, .5);
    case METRIC_P99_US:
        return percentile_us(&t->figures, .99);
    case METRIC_FACT:
        return fact_named(&t->figures, m->fact);
    }
    return 0;
}

static const char *mark_name(const mark *m)
{
    switch (m->metric) {
    case METRIC_NONE:
        return "";
    case METRIC_RATE:
        return "rate";
    case METRIC_RATE_PER_REF:
        return "rate_per_ref";
    case METRIC_P50_PER_REF:
        return "p50_per_ref";
    case METRIC_P50_US:
        return "p50_us";
    case METRIC_P99_US:
        return "p99_us";
    case METRIC_FACT:
        return m->fact;
    }
    return "";
}

typedef enum verdict {
    VERDICT_NONE = 0, /* no such bound, or the row was shrunk */
    VERDICT_MISSED = 1,
    VERDICT_REACHED = 2
} verdict;

static verdict judge(const report *p, const bench_row *row, const mark *m,
                     double bound, double value)
{
    if (bound == 0 || (row->is_large && p->run->shrink > 1)) {
        return VERDICT_NONE;
    }
    bool is_reached = m->is_floor ? value >= bound : value <= bound;
    return is_reached ? VERDICT_REACHED : VERDICT_MISSED;
}

double take_rank(const bench_row *row, const take *t)
{
    static const mark rate = {.metric = METRIC_RATE};
    bool is_marked = row->marks[0].metric != METRIC_NONE;
    return measured(row, is_marked ? &row->marks[0] : &rate, t);
}

/* ---- rows as JSON ---- */

static void put_verdict(FILE *out, const char *name, double bound, verdict v)
{
    static const char *const words[] = {"null", "false", "true"};
    if (bound != 0) {
        put_number(out, name, bound);
        fprintf(out, ",\"is_%s_reached\":%s", name, words[v]);
    }
}

static void put_mark(const report *p, const bench_row *row, const mark *m,
                     const take *takes, uint32_t count)
{
    FILE *out = p->json;
    double value = measured(row, m, &takes[count / 2]);
    double low = value;
    double high = value;
    for (uint32_t i = 0; i < count; i++) {
        double other = measured(row, m, &takes[i]);
        low = other < low ? other : low;
        high = other > high ? other : high;
    }
    fprintf(out, "{\"measure\":\"%s\"", mark_name(m));
    put_number(out, "value", value);
    put_number(out, "low", low);
    put_number(out, "high", high);
    fprintf(out, ",\"bound\":\"%s\"", m->is_floor ? "at_least" : "at_most");
    put_verdict(out, "first_mark", m->first, judge(p, row, m, m->first, value));
    put_verdict(out, "goal", m->goal, judge(p, row, m, m->goal, value));
    fputc('}', out);
}

static void put_figures(FILE *out, const bench_row *row, const take *t)
{
    fprintf(out, ",\"unit\":\"%s\"", row->unit);
    put_number(out, "rate", figures_rate(&t->figures));
    put_number(out, "calls", (double)t->figures.latency.count);
    put_number(out, "p50_us", percentile_us(&t->figures, .5));
    put_number(out, "p99_us", percentile_us(&t->figures, .99));
    put_number(out, "max_us", (double)t->figures.latency.max / 1e3);
    for (size_t i = 0; i < t->figures.fact_count; i++) {
        put_number(out, t->figures.facts[i].name, t->figures.facts[i].value);
    }
    put_number(out, "ref_rate", figures_rate(&t->ref));
    put_number(out, "ref_p50_us", percentile_us(&t->ref, .5));
    put_number(out, "ref_p99_us", percentile_us(&t->ref, .99));
}

static void put_row(const report *p, const bench_row *row, const take *takes,
                    uint32_t count)
{
    FILE *out = p->json;
    row_sizes sizes = row_sizes_in(p->run, row);
    uint32_t noisy = 0;
    for (uint32_t i = 0; i < count; i++) {
        noisy += takes[i].is_noisy;
    }
    fprintf(out, "{\"row\":\"%s\",", row->name);
    put_text(out, "text", row->text);
    put_size(out, "threads", sizes.threads);
    put_size(out, "batch", sizes.batch);
    put_size(out, "state_bytes", sizes.state_bytes);
    put_size(out, "machines", sizes.machines);
    put_size(out, "events", sizes.events);
    put_figures(out, row, &takes[count / 2]);
    fprintf(out, ",\"takes\":%u,\"noisy_takes\":%u,\"marks\":[", count, noisy);
    for (size_t i = 0; i < ROW_MARKS_MAX; i++) {
        if (row->marks[i].metric != METRIC_NONE) {
            fputs(i == 0 ? "" : ",", out);
            put_mark(p, row, &row->marks[i], takes, count);
        }
    }
    fputs("]}\n", out);
    fflush(out);
}

/* ---- rows as a table for people ---- */

/* Four digits at most, so that columns keep their width. */
static void print_cell(FILE *out, double value)
{
    int digits = value >= 1000 ? 0 : value >= 10 ? 1 : 3;
    fprintf(out, " %9.*f |", digits, value);
}

static void print_bound(FILE *out, const mark *m, double bound, verdict v)
{
    static const char *const words[] = {"", "missed", "reached"};
    if (bound == 0) {
        fprintf(out, " %18s |", "");
    } else {
        fprintf(out, " %s %-7.*f %-7s |",
                m->is_floor ? ">=" : "<=", bound < 10 ? 2 : 0, bound, words[v]);
    }
}

static void print_mark(const report *p, const bench_row *row, const mark *m,
                       const take *t)
{
    double value = measured(row, m, t);
    fprintf(p->table, " %-19s |", mark_name(m));
    if (m->metric == METRIC_NONE) {
        fprintf(p->table, " %9s | %18s | %18s |\n", "", "", "");
        return;
    }
    print_cell(p->table, value);
    print_bound(p->table, m, m->first, judge(p, row, m, m->first, value));
    print_bound(p->table, m, m->goal, judge(p, row, m, m->goal, value));
    fputc('\n', p->table);
}

static void print_row(const report *p, const bench_row *row, const take *t)
{
    fprintf(p->table, "| %-20s | %11.0f |", row->name,
            figures_rate(&t->figures));
    print_cell(p->table, percentile_us(&t->figures, .5));
    print_cell(p->table, percentile_us(&t->figures, .99));
    print_cell(p->table, figures_rate(&t->ref));
    print_cell(p->table, percentile_us(&t->ref, .5));
    print_mark(p, row, &row->marks[0], t);
    if (row->marks[1].metric != METRIC_NONE) {
        fprintf(p->table, "| %20s | %11s | %9s | %9s | %9s | %9s |", "", "", "",
                "", "", "");
        print_mark(p, row, &row->marks[1], t);
    }
}

void report_row(report *p, const bench_row *row, const take *takes,
                uint32_t count)
{
    const take *middle = &takes[count / 2];
    put_row(p, row, takes, count);
    if (p->table != NULL) {
        print_row(p, row, middle);
    }
    if (p->row_count < REPORT_ROWS_MAX) {
        p->names[p->row_count] = row->name;
        p->ref_p50_ns[p->row_count++] = hist_at(&middle->ref.latency, .5);
    }
}

void report_end(const report *p, uint64_t best_ref_p50_ns)
{
    const char *comma = "";
    fputs("{\"row\":\"end\"", p->json);
    put_number(p->json, "best_ref_p50_us", (double)best_ref_p50_ns / 1e3);
    fputs(",\"rows_beside_slow_ref\":[", p->json);
    for (size_t i = 0; i < p->row_count; i++) {
        if (ref_is_slow(p->ref_p50_ns[i], best_ref_p50_ns)) {
            fprintf(p->json, "%s\"%s\"", comma, p->names[i]);
            comma = ",";
        }
    }
    fputs("]}\n", p->json);
}

void report_failure(const report *p, const bench_row *row,
                    const stet_error *err)
{
    fprintf(p->json, "{\"row\":\"%s\",\"status\":\"%s\",", row->name,
            stet_status_name(err->status));
    put_text(p->json, "error", err->text);
    fputs("}\n", p->json);
    fflush(p->json);
    fprintf(stderr, "stet-bench: %s: %s\n", row->name, err->text);
}
