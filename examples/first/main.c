#include <stdio.h>
#include <stet/stet.h>

int main(void)
{
    stet *s = NULL;
    stet_error err;
    const stet_state *was = NULL;
    stet_slice id = stet_str("game:1");
    stet_write_opts deal = {.more = {.action = stet_str("deal"),
                                     .payload = stet_str("{\"turn\":1}")}};
    stet_read_opts first = {.at = {.kind = STET_AT_SEQ, .seq = 1}};

    if (stet_open("./games", NULL, &s, &err) != STET_OK ||
        stet_save(s, id, stet_str("{\"turn\":0}"), NULL, NULL, &err) !=
            STET_OK || /* it is on the disk when this returns */
        stet_transition(s, id, &deal, NULL, &err) != STET_OK ||
        stet_load(s, id, &first, &was, &err) != STET_OK) {
        fprintf(stderr, "%s\n", err.text);
        return 1;
    }
    printf("%.*s\n", (int)was->state_data.len,
           (const char *)was->state_data.ptr); /* {"turn":0} */
    stet_state_release(was);
    return stet_close(s, &err) == STET_OK ? 0 : 1;
}
