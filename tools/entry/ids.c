/* ids.c - the last Nats-Msg-Id's of this entry, in a ring. Another entry knows nothing of them. */
#include <stdlib.h>
#include <string.h>

#include "entry.h"

enum { IDS_COUNT_MAX = 1024 };

struct seen {
    uint64_t serial; /* 0: free */
    uint64_t digest; /* of its message */
    char id[ID_BYTES_MAX + 1];
    char answer[ANSWER_SIZE]; /* "": it is under way */
};

struct ids {
    uint64_t serial;                 /* of the newest */
    struct seen seen[IDS_COUNT_MAX]; /* at serial % IDS_COUNT_MAX */
};

struct ids *ids_new(void) {
    return calloc(1, sizeof(struct ids));
}

void ids_free(struct ids *ids) {
    free(ids);
}

static struct seen *find(struct ids *ids, const char *id) {
    for (unsigned i = 0; i < IDS_COUNT_MAX; i++)
        if (ids->seen[i].serial != 0 && strcmp(ids->seen[i].id, id) == 0)
            return &ids->seen[i];
    return NULL;
}

static struct seen *find_serial(struct ids *ids, uint64_t serial) {
    struct seen *seen = &ids->seen[serial % IDS_COUNT_MAX];
    return serial != 0 && seen->serial == serial ? seen : NULL;
}

struct past ids_see(struct ids *ids, const char *id, uint64_t digest) {
    struct seen *seen = find(ids, id);
    if (seen == NULL) {
        uint64_t serial = ++ids->serial;
        seen = &ids->seen[serial % IDS_COUNT_MAX];
        *seen = (struct seen){ .serial = serial, .digest = digest };
        strcpy(seen->id, id);
        return (struct past){ serial, PAST_NEW, NULL };
    }
    if (seen->digest != digest)
        return (struct past){ 0, PAST_OTHER, NULL };
    if (seen->answer[0] == '\0')
        return (struct past){ 0, PAST_WAITS, NULL };
    return (struct past){ 0, PAST_ANSWERED, seen->answer };
}

void ids_forget(struct ids *ids, uint64_t serial) {
    struct seen *seen = find_serial(ids, serial);
    if (seen != NULL)
        seen->serial = 0;
}

void ids_answer(struct ids *ids, uint64_t serial, const char *text) {
    struct seen *seen = find_serial(ids, serial);
    if (seen != NULL)
        strncpy(seen->answer, text, sizeof seen->answer - 1);
}
