/* fellows.c - which of the entries publishes the messages of tapped chats: the oldest one that is connected to NATS.
 *
 * Each tells the others twice a second that it is there, over NATS: those that hear of each other are those that would
 * double each other's messages. One that has just connected listens first. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <time.h>
#include <unistd.h>

#include "entry.h"

enum {
    BEAT_MS = 500,
    LISTEN_MS = 1500, /* three beats: who is older has been heard by then */
    DOWN_MS = 2500,
    FELLOWS_COUNT_MAX = 64,
    AGE_SIZE = 25 /* microseconds since 1970 and a random number, in hexadecimal digits */
};

struct fellow {
    char age[AGE_SIZE]; /* "": none; the smaller, the older */
    uint64_t heard_ms;
};

struct fellows {
    struct entry *entry;
    char age[AGE_SIZE];
    struct fellow others[FELLOWS_COUNT_MAX];
    uint64_t beat_ms;    /* of the last one */
    uint64_t tick_ms;    /* the same */
    uint64_t listens_ms; /* since when it hears the others */
    uint64_t led_ms;
    bool lead;
    bool able; /* it is there for the others */
};

struct fellows *fellows_new(struct entry *entry) {
    struct fellows *f = calloc(1, sizeof *f);
    struct timespec now;
    uint32_t random = 0;
    if (f == NULL)
        return NULL;
    f->entry = entry;
    clock_gettime(CLOCK_REALTIME, &now);
    if (getrandom(&random, sizeof random, 0) < 0)
        random = (uint32_t)getpid();
    snprintf(f->age, sizeof f->age, "%016llx%08x",
             (unsigned long long)now.tv_sec * 1000000 + (unsigned long long)now.tv_nsec / 1000,
             random);
    return f;
}

void fellows_free(struct fellows *f) {
    free(f);
}

static struct fellow *find(struct fellows *f, const char *age) {
    for (int i = 0; i < FELLOWS_COUNT_MAX; i++)
        if (strcmp(f->others[i].age, age) == 0)
            return &f->others[i];
    return NULL;
}

/* "AGE WORD": lead, stand, bye. */
void fellows_hear(struct fellows *f, wsfan_bytes beat) {
    char age[AGE_SIZE] = "";
    const char *text = beat.data;
    if (f == NULL || beat.size < AGE_SIZE || text[AGE_SIZE - 1] != ' ')
        return;
    memcpy(age, text, AGE_SIZE - 1);
    if (strspn(age, "0123456789abcdef") != AGE_SIZE - 1 || strcmp(age, f->age) == 0)
        return;
    wsfan_bytes word = { text + AGE_SIZE, beat.size - AGE_SIZE };
    struct fellow *fellow = find(f, age);
    if (fellow == NULL)
        fellow = find(f, "");
    if (fellow == NULL)
        return;
    memcpy(fellow->age, age, sizeof age);
    fellow->heard_ms = now_ms();
    if (word.size == 4 && memcmp(word.data, "lead", 4) == 0)
        f->led_ms = fellow->heard_ms;
    else if (word.size == 3 && memcmp(word.data, "bye", 3) == 0)
        fellow->age[0] = '\0';
}

static void tell(struct fellows *f, const char *word) {
    char subject[SUBJECT_SIZE];
    char text[AGE_SIZE + 8];
    int size = snprintf(text, sizeof text, "%s %s", f->age, word);
    snprintf(subject, sizeof subject, "%sentry.beat", f->entry->prefix);
    bus_send(f->entry->bus, &(struct parcel){ .subject = subject, .data = { text, (size_t)size } });
}

/* What this entry has not heard while it was frozen, or has just begun to listen, says nothing of the others. */
static void listen_anew(struct fellows *f, uint64_t now) {
    f->listens_ms = now;
    for (int i = 0; i < FELLOWS_COUNT_MAX; i++)
        f->others[i].heard_ms = now;
}

static void forget_silent(struct fellows *f, uint64_t now) {
    for (int i = 0; i < FELLOWS_COUNT_MAX; i++)
        if (now - f->others[i].heard_ms >= DOWN_MS)
            f->others[i].age[0] = '\0';
}

/* An entry that hears NATS and the mesh beats; one that does not, any more, says goodbye if it can. */
void fellows_tick(struct fellows *f, uint64_t now) {
    const struct entry *entry = f->entry;
    bool able = entry->heard.connected && entry->takes;
    if (!able || !f->able || now - f->tick_ms >= 2 * BEAT_MS)
        listen_anew(f, now);
    f->tick_ms = now;
    forget_silent(f, now);
    bool lead = able && now - f->listens_ms >= LISTEN_MS && !fellows_follow(f);
    bool changed = lead != f->lead || able != f->able;
    if (lead)
        f->led_ms = now;
    if (lead != f->lead)
        log_line(entry, WSFAN_LEVEL_INFO, "entry.taps",
                 "this entry %s the messages of tapped chats",
                 lead ? "publishes" : "stands by for");
    f->lead = lead;
    f->able = able;
    if (!entry->heard.connected || (!changed && (!able || now - f->beat_ms < BEAT_MS)))
        return;
    tell(f, lead ? "lead" : able ? "stand" : "bye");
    f->beat_ms = now;
}

bool fellows_lead(const struct fellows *f) {
    return f->lead;
}

bool fellows_follow(const struct fellows *f) {
    for (int i = 0; i < FELLOWS_COUNT_MAX; i++)
        if (f->others[i].age[0] != '\0' && strcmp(f->others[i].age, f->age) < 0)
            return true;
    return false;
}

uint64_t fellows_led_ms(const struct fellows *f) {
    return f->led_ms;
}
