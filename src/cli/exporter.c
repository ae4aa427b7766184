#include "cli/exporter.h"

stet_status exporter_print(stet_printer *printer, stet *s, const exported *what,
                           stet_error *err)
{
    stet_history *history = NULL;
    stet_status st = stet_history_open(s, what->id, &what->opts, &history, err);
    if (st == STET_OK) {
        st = stet__printer_machine(printer, what->as, err);
    }
    while (st == STET_OK) {
        const stet_event *event = NULL;
        st = stet_history_next(history, &event, err);
        if (st == STET_OK) {
            st = stet__printer_event(printer, event, err);
        }
    }
    stet_history_close(history);
    return st == STET_DONE ? STET_OK : st;
}
