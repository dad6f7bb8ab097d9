#include "processes.h"

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { END_MS_MAX = 10000, LOOK_MS = 20, NAMES_SIZE = 4096 };

bool processes_by_dns(const recorders *r) {
    return r->naming == NAMING_DNS || r->naming == NAMING_NAMES;
}

static const fault *active(const recorders *r, fault_kind kind) {
    for (unsigned i = 0; i < r->active_count; i++)
        if (r->active[i].kind == kind)
            return &r->active[i];
    return NULL;
}

/* DNS names whoever runs, and who ran last at its address; not whom a fault hides. Behind the service
 * are those who run. */
void processes_tell_names(recorders *r) {
    char names[NAMES_SIZE] = "";
    size_t used = 0;
    uint32_t servers[NETWORK_HOSTS_MAX];
    unsigned servers_count = 0;
    const fault *wrong = active(r, DNS_WRONG);
    for (unsigned i = 0; i <= r->count; i++) {
        const process *p = &r->nodes[i];
        if (p->log == NULL)
            continue;
        uint32_t address = network_address(i, p->address);
        unsigned last = address & 255;
        if (wrong != NULL && wrong->node == i)
            last = (network_address(i, 1 - p->address)) & 255;
        used += (size_t)snprintf(names + used, sizeof names - used,
                                 "10.99.0.%u all.test r%u.test\n", last, i);
        if (p->pid != 0)
            servers[servers_count++] = address;
    }
    if (processes_by_dns(r))
        network_set_names(names);
    if (r->naming == NAMING_SERVICE)
        network_set_servers(servers, servers_count);
}

/* --------------------------------------------------------------------------------- start and end */

/* A program of its own, so that its memory is its own too. */
static void become_recorder(unsigned host, int descriptor, int shared) {
    char text[16];
    snprintf(text, sizeof text, "%d", descriptor);
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    fcntl(descriptor, F_SETFD, 0); /* goes on over exec, */
    fcntl(shared, F_SETFD, 0);     /* and so do travellers */
    if (network_enter(host))
        execl("/proc/self/exe", "recorder", RECORDERS_ARGUMENT, text, (char *)NULL);
    _exit(EXIT_FAILURE);
}

/* Where and as what it runs; host and node differ where it is a twin. */
static void configure(recorders *r, life_log *log, unsigned host, unsigned node) {
    recorder_config *config = &log->config;
    *config = r->config;
    config->seed = r->seed * 1000 + ++r->lives;
    config->life = r->lives;
    snprintf(config->name, sizeof config->name, "r%u", node);
    if (r->carrier == CARRIER_NATS)
        snprintf(config->endpoint, sizeof config->endpoint, "nats:r%u", node);
    else
        network_endpoint(host, r->nodes[host].address, config->endpoint);
    if (r->keys != KEYS_NONE)
        memcpy(config->secret_key, r->secret_keys[r->keys == KEYS_EACH ? host : 0],
               sizeof config->secret_key);
    atomic_store(&log->wall_s, r->nodes[host].wall_s);
}

bool processes_start(recorders *r, unsigned host, unsigned address, unsigned node) {
    process *p = &r->nodes[host];
    int descriptor = memfd_create("life", MFD_CLOEXEC);
    life_log *log;
    if (descriptor < 0 || ftruncate(descriptor, (off_t)sizeof *log) != 0)
        return false;
    log = mmap(NULL, sizeof *log, PROT_READ | PROT_WRITE, MAP_SHARED, descriptor, 0);
    if (log == MAP_FAILED)
        abort();
    memory_clear(&p->memory);
    *p = (process){ .address = address, .log = log, .wall_s = p->wall_s };
    configure(r, log, host, node);
    p->pid = fork();
    if (p->pid == 0)
        become_recorder(host, descriptor, r->config.travellers);
    close(descriptor);
    replay_begin(r->replay, log);
    processes_tell_names(r);
    return p->pid > 0;
}

void processes_ended(recorders *r, process *p) {
    replay_end(r->replay, p->log);
    travellers_free(r->travellers, p->log->config.life);
    p->pid = 0;
}

void processes_kill(recorders *r, unsigned host) {
    process *p = &r->nodes[host];
    int status;
    if (p->pid == 0)
        return;
    kill(p->pid, SIGKILL);
    waitpid(p->pid, &status, 0);
    if (!WIFSIGNALED(status) || WTERMSIG(status) != SIGKILL)
        recorders_violation(r, "had ended by itself", host);
    processes_ended(r, p);
    processes_tell_names(r);
}

/* It was told to finish. */
void processes_await_end(recorders *r, unsigned host, uint64_t until_ms) {
    process *p = &r->nodes[host];
    int status = 0;
    pid_t pid = 0;
    if (p->pid == 0)
        return;
    while ((pid = waitpid(p->pid, &status, WNOHANG)) == 0 && recorders_ms(r) < until_ms)
        nanosleep(&(struct timespec){ .tv_nsec = LOOK_MS * 1000000L }, NULL);
    if (pid == 0) {
        recorders_violation(r, "does not end", host);
        processes_kill(r, host);
        return;
    }
    if (status != 0)
        recorders_violation(r, "ended badly", host);
    processes_ended(r, p);
}

void processes_say_goodbye(recorders *r, unsigned host) {
    process *p = &r->nodes[host];
    if (p->pid == 0)
        return;
    p->log->config.passes = true;
    atomic_store(&p->log->finish, true);
    processes_await_end(r, host, recorders_ms(r) + END_MS_MAX);
    processes_tell_names(r);
}
