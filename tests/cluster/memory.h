/* The private memory of a process over time, and whether it grows. */
#ifndef MEMORY_H
#define MEMORY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

typedef struct {
    double minutes;
    double kb;
} memory_sample;

typedef struct {
    memory_sample *samples;
    size_t count;
    size_t capacity;
} memory_series;

/* Adds what the process holds now: RssAnon, which is its resident memory without files and without
 * what it shares. Nothing when there is no such process. */
void memory_add(memory_series *s, pid_t pid, double minutes);
void memory_clear(memory_series *s);

/* KB a minute by least squares over the second half of the samples; 0 of fewer than 3. minutes: how
 * long that half is. */
double memory_slope(const memory_series *s, double *minutes);

#endif
