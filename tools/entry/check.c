/* check.c - `wsfan-entry --check`: asks the entry of this name, by NATS, whether it is ready. */
#include <stdio.h>
#include <string.h>

#include "entry.h"
#include "nats/attempt.h"

enum { CHECK_MS = 3000 };

static natsStatus ask(const struct options *options, natsConnection **nats, natsMsg **reply) {
    char prefix[PREFIX_SIZE];
    char subject[SUBJECT_SIZE];
    char detail[WSF_NATS_DETAIL_SIZE];
    prefix_write(prefix, options);
    status_subject(subject, prefix, options->node.name);
    natsStatus s = wsf_nats_attempt(nats, &options->nats, "wsfan-entry --check", detail);
    return s == NATS_OK ? natsConnection_RequestString(reply, *nats, subject, "", CHECK_MS) : s;
}

int check_run(const struct options *options) {
    static const char ready[] = "{\"ready\":true,";
    natsConnection *nats = NULL;
    natsMsg *reply = NULL;
    bool is_ready = false;
    natsStatus s = ask(options, &nats, &reply);
    if (s == NATS_OK) {
        const char *text = natsMsg_GetData(reply);
        is_ready = strncmp(text, ready, sizeof ready - 1) == 0;
        puts(text);
    } else {
        fprintf(stderr, "wsfan-entry: %s: %s\n", options->node.name,
                s == NATS_NO_RESPONDERS ? "no entry of this name is connected"
                                        : natsStatus_GetText(s));
    }
    natsMsg_Destroy(reply);
    natsConnection_Destroy(nats);
    nats_CloseAndWait(CHECK_MS);
    return is_ready ? STATUS_OK : STATUS_FAILED;
}
