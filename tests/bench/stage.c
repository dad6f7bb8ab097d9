/* stage.c - a parent and its workers. They meet in shared memory, which costs what is measured
 * nothing. Nothing outlives the parent: workers die with it, and all have an alarm. */
#include "bench.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { LIFE_S_MAX = 300, END_S = 5, POLL_US = 500 };

static struct stage *current; /* the parent's: what die() has to end */

int64_t now_ns(void) {
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return (int64_t)time.tv_sec * 1000000000 + time.tv_nsec;
}

/* Between two looks at what is awaited, which is not announced; or the time of a measurement. */
void pause_us(unsigned us) {
    nanosleep(&(struct timespec){ (time_t)(us / 1000000), (long)(us % 1000000) * 1000 }, NULL);
}

void sleep_until_ns(int64_t at_ns) {
    struct timespec at = { (time_t)(at_ns / 1000000000), (long)(at_ns % 1000000000) };
    while (clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &at, NULL) == EINTR)
        continue;
}

void die(const char *format, ...) {
    va_list arguments;
    va_start(arguments, format);
    fputs("wsfan-bench: ", stderr);
    vfprintf(stderr, format, arguments);
    fputs("\n", stderr);
    va_end(arguments);
    if (current != NULL)
        stage_close(current);
    _exit(1);
}

void must(int error, const char *what) {
    if (error != WSFAN_OK)
        die("%s: %s", what, wsfan_error_text(error));
}

/* ------------------------------------------------------------------------------------ processes */

static void begin_child(pid_t parent) {
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (getppid() != parent)
        _exit(1); /* it was gone before we asked */
    current = NULL;
}

pid_t spawn(char *const arguments[], int output) {
    pid_t parent = getpid();
    pid_t pid = fork();
    if (pid < 0)
        die("fork: %s", strerror(errno));
    if (pid > 0)
        return pid;
    begin_child(parent);
    if (output < 0)
        output = open("/dev/null", O_WRONLY);
    dup2(output, STDOUT_FILENO);
    dup2(output, STDERR_FILENO);
    execvp(arguments[0], arguments);
    char path[64]; /* of a daemon, in Debian, which is not on the PATH of every user */
    snprintf(path, sizeof path, "/usr/sbin/%.40s", arguments[0]);
    execv(path, arguments);
    _exit(127);
}

void reap(pid_t pid, int signal) {
    if (pid <= 0)
        return;
    kill(pid, signal);
    while (waitpid(pid, NULL, 0) < 0 && errno == EINTR)
        continue;
}

double cpu_s(pid_t pid) {
    clockid_t clock;
    struct timespec time;
    if (pid <= 0)
        return 0;
    if (clock_getcpuclockid(pid, &clock) != 0 || clock_gettime(clock, &time) != 0)
        die("no CPU time of process %d", (int)pid);
    return (double)time.tv_sec + (double)time.tv_nsec / 1e9;
}

/* ---------------------------------------------------------------------------------------- stage */

struct stage *stage_open(void) {
    struct stage *stage = mmap(NULL, sizeof *stage, PROT_READ | PROT_WRITE,
                               MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (stage == MAP_FAILED)
        die("mmap: %s", strerror(errno));
    current = stage;
    return stage;
}

struct worker *stage_start(struct stage *stage, worker_main *run, const void *argument) {
    if (stage->workers_count == WORKERS_MAX)
        die("too many workers");
    struct worker *worker = &stage->workers[stage->workers_count++];
    pid_t parent = getpid();
    fflush(NULL);
    pid_t pid = fork();
    if (pid < 0)
        die("fork: %s", strerror(errno));
    if (pid == 0) {
        begin_child(parent);
        alarm(LIFE_S_MAX);
        run(stage, worker, argument);
        _exit(0);
    }
    worker->pid = pid;
    return worker;
}

static bool all_have(const struct stage *stage, enum phase phase) {
    for (unsigned i = 0; i < stage->workers_count; i++)
        if (atomic_load(&stage->workers[i].phase) < (int)phase)
            return false;
    return true;
}

static void check_alive(struct stage *stage) {
    for (unsigned i = 0; i < stage->workers_count; i++) {
        pid_t *pid = &stage->workers[i].pid;
        if (*pid <= 0 || waitpid(*pid, NULL, WNOHANG) != *pid)
            continue;
        *pid = 0;
        die("worker %u has ended", i);
    }
    if (stage->broker > 0 && waitpid(stage->broker, NULL, WNOHANG) == stage->broker) {
        stage->broker = 0;
        die("the broker has ended");
    }
}

void stage_await(struct stage *stage, enum phase phase, unsigned seconds) {
    int64_t deadline_ns = now_ns() + (int64_t)seconds * 1000000000;
    while (!all_have(stage, phase)) {
        check_alive(stage);
        if (now_ns() > deadline_ns)
            die("phase %d was not reached within %u s", (int)phase, seconds);
        pause_us(POLL_US);
    }
}

void stage_command(struct stage *stage, enum command command) {
    atomic_store(&stage->command, (int)command);
}

double stage_cpu_s(const struct stage *stage) {
    double sum = cpu_s(stage->broker);
    for (unsigned i = 0; i < stage->workers_count; i++)
        sum += cpu_s(stage->workers[i].pid);
    return sum;
}

/* Workers end by themselves, so that profilers can write what they have; or else they are ended. */
static void await_end(pid_t *pid, int64_t deadline_ns) {
    while (*pid > 0 && now_ns() < deadline_ns) {
        if (waitpid(*pid, NULL, WNOHANG) == *pid)
            *pid = 0;
        else
            pause_us(POLL_US);
    }
}

void stage_close(struct stage *stage) {
    current = NULL;
    stage_command(stage, COMMAND_QUIT);
    int64_t deadline_ns = now_ns() + END_S * INT64_C(1000000000);
    for (unsigned i = 0; i < stage->workers_count; i++) {
        await_end(&stage->workers[i].pid, deadline_ns);
        reap(stage->workers[i].pid, SIGKILL);
    }
    reap(stage->broker, SIGTERM);
    munmap(stage, sizeof *stage);
}

void worker_phase(struct worker *self, enum phase phase) {
    atomic_store(&self->phase, (int)phase);
}

void worker_await(const struct stage *stage, enum command command) {
    while (atomic_load(&stage->command) < (int)command)
        pause_us(POLL_US);
}
