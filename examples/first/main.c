#include <stdio.h>
#include <stet/stet.h>

int main(void)
{
    stet_error err;
    stet *s = NULL;
    const stet_state *state = NULL;
    stet_write_opts deal = {.more = {.action = stet_str("deal"),
                                     .to_state = stet_str("playing"),
                                     .payload = stet_str("{\"turn\":1}")}};
    stet_read_opts earlier = {.at = {.kind = STET_AT_SEQ, .seq = 1}};
    if (stet_open("./games", NULL, &s, &err) != STET_OK ||
        stet_save(s, stet_str("game:1"), stet_str("{\"turn\":0}"), NULL, NULL,
                  &err) != STET_OK || /* durable when it returns */
        stet_transition(s, stet_str("game:1"), &deal, NULL, &err) != STET_OK ||
        stet_load(s, stet_str("game:1"), &earlier, &state, &err) != STET_OK) {
        fprintf(stderr, "%s\n", err.text);
        return 1;
    }
    printf("%.*s\n", (int)state->state_data.len,
           (const char *)state->state_data.ptr); /* {"turn":0} */
    stet_state_release(state);
    return stet_close(s, &err) == STET_OK ? 0 : 1;
}
