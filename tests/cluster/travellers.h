/* Clients that move between recorders, and what each keeps of a chat, as a browser does: in memory that all
 * recorders of a run share and that outlives each of them. Nobody waits here for anybody, as any of them may be
 * stopped or killed at any time. */
#ifndef TRAVELLERS_H
#define TRAVELLERS_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <wsfan/wsfan.h>

enum {
    TRAVELLERS = 16,
    TRAVELLERS_CHATS = 6 /* each is in one of the first so many chats */
};

/* What a client brings back. serial 0: nothing yet; else that of the newest position among those of its node. */
typedef struct {
    uint64_t node;
    uint32_t serial;
    wsfan_address former;
    char at_join[WSFAN_POSITION_TEXT_SIZE]; /* "": none */
    char newest[WSFAN_POSITION_TEXT_SIZE];
} traveller_bag;

typedef struct {
    atomic_uint at;       /* the recorder's life that has it; 0: it is away */
    atomic_uint busy;     /* the life that reads or writes the bags; 0: none */
    atomic_ullong due_ns; /* nobody takes it before */
    atomic_uint newest;   /* of the bags */
    atomic_uint older;    /* may be the same */
    traveller_bag bags[3];
} traveller;

typedef struct {
    traveller all[TRAVELLERS];
} travellers;

/* NULL: no memory. The descriptor stays open, for recorders. */
travellers *travellers_make(int *descriptor);
travellers *travellers_map(int descriptor);

/* The life has ended: whom it had is away. */
void travellers_free(travellers *t, unsigned life);

/* Takes it from wherever it is, with its newest bag, or an older one. False: not just now. */
bool traveller_take(traveller *t, unsigned life, bool older, traveller_bag *bag);

/* Keeps what it got, unless it is no longer there. aside: what it had before becomes its older bag. */
void traveller_keep(traveller *t, unsigned life, const traveller_bag *bag, bool aside);

/* It goes, until then. */
void traveller_go(traveller *t, unsigned life, uint64_t until_ns);

#endif
