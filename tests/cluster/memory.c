#include "memory.h"

#include <stdio.h>
#include <stdlib.h>

void memory_add(memory_series *s, pid_t pid, double minutes) {
    char line[128];
    unsigned long kb;
    snprintf(line, sizeof line, "/proc/%d/status", (int)pid);
    FILE *status = fopen(line, "r");
    if (status == NULL)
        return;
    while (fgets(line, sizeof line, status) != NULL) {
        if (sscanf(line, "RssAnon: %lu kB", &kb) != 1)
            continue;
        if (s->count == s->capacity) {
            s->capacity = s->capacity * 2 + 64;
            s->samples = realloc(s->samples, s->capacity * sizeof *s->samples);
            if (s->samples == NULL)
                abort();
        }
        s->samples[s->count++] = (memory_sample){ minutes, (double)kb };
    }
    fclose(status);
}

void memory_clear(memory_series *s) {
    free(s->samples);
    *s = (memory_series){ 0 };
}

double memory_slope(const memory_series *s, double *minutes) {
    const memory_sample *from = s->samples + s->count / 2;
    size_t count = s->count - s->count / 2;
    memory_sample mean = { 0 };
    double above = 0;
    double below = 0;
    *minutes = 0;
    if (count < 3)
        return 0;
    for (size_t i = 0; i < count; i++) {
        mean.minutes += from[i].minutes / (double)count;
        mean.kb += from[i].kb / (double)count;
    }
    for (size_t i = 0; i < count; i++) {
        double x = from[i].minutes - mean.minutes;
        above += x * (from[i].kb - mean.kb);
        below += x * x;
    }
    *minutes = from[count - 1].minutes - from[0].minutes;
    return below > 0 ? above / below : 0;
}
