#include "hold.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/wait.h>
#include <time.h>

void check(int good, const char *what) {
    if (good)
        return;
    fprintf(stderr, "failed: %s\n", what);
    exit(EXIT_FAILURE);
}

/* Between two looks at what is awaited; and in pause.c the pause that it is about. */
void sleep_ms(unsigned ms) {
    nanosleep(&(struct timespec){ (time_t)(ms / 1000), (long)(ms % 1000) * 1000000 }, NULL);
}

pid_t mesh_thread(pid_t pid) {
    char path[64];
    pid_t found = 0;
    snprintf(path, sizeof path, "/proc/%d/task", (int)pid);
    DIR *tasks = opendir(path);
    check(tasks != NULL, "/proc can be read");
    for (struct dirent *entry; (entry = readdir(tasks)) != NULL;) {
        char name[32] = "";
        pid_t task = (pid_t)atoi(entry->d_name);
        snprintf(path, sizeof path, "/proc/%d/task/%d/comm", (int)pid, (int)task);
        FILE *file = task != 0 && task != pid ? fopen(path, "r") : NULL;
        if (file == NULL)
            continue;
        if (fgets(name, sizeof name, file) != NULL && strncmp(name, "ZMQ", 3) != 0)
            found = task;
        fclose(file);
    }
    closedir(tasks);
    return found;
}

void hold(pid_t thread) {
    check(ptrace(PTRACE_SEIZE, thread, NULL, NULL) == 0 &&
              ptrace(PTRACE_INTERRUPT, thread, NULL, NULL) == 0 &&
              waitpid(thread, NULL, __WALL) == thread,
          "a thread can be stopped alone");
}

void let_go(pid_t thread) {
    check(ptrace(PTRACE_DETACH, thread, NULL, NULL) == 0, "the thread goes on");
}
