#include "travellers.h"

#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

travellers *travellers_map(int descriptor) {
    travellers *t = mmap(NULL, sizeof *t, PROT_READ | PROT_WRITE, MAP_SHARED, descriptor, 0);
    return t == MAP_FAILED ? NULL : t;
}

travellers *travellers_make(int *descriptor) {
    *descriptor = memfd_create("travellers", MFD_CLOEXEC);
    if (*descriptor < 0 || ftruncate(*descriptor, (off_t)sizeof(travellers)) != 0)
        return NULL;
    return travellers_map(*descriptor);
}

static bool replace(atomic_uint *value, unsigned from, unsigned to) {
    return atomic_compare_exchange_strong(value, &from, to);
}

void travellers_free(travellers *t, unsigned life) {
    for (unsigned i = 0; i < TRAVELLERS; i++) {
        replace(&t->all[i].at, life, 0);
        replace(&t->all[i].busy, life, 0);
    }
}

/* A bag is whole before it is one of the two, as who writes it may be killed. */
bool traveller_take(traveller *t, unsigned life, bool older, traveller_bag *bag) {
    if (!replace(&t->busy, 0, life))
        return false;
    *bag = t->bags[atomic_load(older ? &t->older : &t->newest)];
    atomic_store(&t->at, life);
    atomic_store(&t->busy, 0);
    return true;
}

void traveller_keep(traveller *t, unsigned life, const traveller_bag *bag, bool aside) {
    if (!replace(&t->busy, 0, life))
        return;
    if (atomic_load(&t->at) == life) {
        unsigned newest = atomic_load(&t->newest);
        unsigned older = aside ? newest : atomic_load(&t->older);
        unsigned spare = 0;
        while (spare == newest || spare == older)
            spare++;
        t->bags[spare] = *bag;
        atomic_store(&t->older, older);
        atomic_store(&t->newest, spare);
    }
    atomic_store(&t->busy, 0);
}

void traveller_go(traveller *t, unsigned life, uint64_t until_ns) {
    if (atomic_load(&t->at) == life)
        atomic_store(&t->due_ns, until_ns);
    replace(&t->at, life, 0);
}
