/* MADV_WIPEONFORK (Linux 4.14) instead of getpid() at each call or a pthread_atfork() hook, which a
 * library that is unloaded can never take back. */
#include "base/guard.h"

#include <stddef.h>
#include <sys/mman.h>
#include <wsfan/wsfan.h>

enum { PAGE_BYTES = 4096 };

int wsf_guard_open(wsf_guard *guard) {
    void *page = mmap(NULL, PAGE_BYTES, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (page == MAP_FAILED)
        return WSFAN_ESYSTEM;
    if (madvise(page, PAGE_BYTES, MADV_WIPEONFORK) != 0) {
        munmap(page, PAGE_BYTES);
        return WSFAN_ESYSTEM;
    }
    guard->page = page;
    *guard->page = 1;
    return WSFAN_OK;
}

void wsf_guard_close(wsf_guard *guard) {
    munmap((void *)guard->page, PAGE_BYTES);
    guard->page = NULL;
}
