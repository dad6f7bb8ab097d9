/* wsfan-sim: the shipped core, many times, on a virtual clock in a hostile network. */
#include <getopt.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "sim.h"

enum { FAILURES_MAX = 100, EXIT_VIOLATION = 1, EXIT_USAGE = 2 };

typedef struct {
    uint64_t first;
    uint64_t last;
    sim_options sim;
    bool stop;
    bool verbose;
    bool json;
} arguments;

typedef struct {
    uint64_t seed;
    char text[200];
} failure;

static failure failures[FAILURES_MAX];
static size_t failures_count;

static void usage(FILE *out) {
    fputs("usage: wsfan-sim --seeds A..B [--nodes N] [--minutes M] [--rounds R]\n"
          "                 [--returns] [--stop] [--verbose] [--trace] [--json]\n"
          "\n"
          "Runs nodes of the library's core against each other on a virtual clock, in a network\n"
          "that a seed makes hostile, and checks after every step what docs/reliability.md lists.\n"
          "\n"
          "  --seeds A..B  one run for each seed from A to B\n"
          "  --nodes N     2 to 250 nodes [the seed chooses]\n"
          "  --minutes M   of simulated load and faults, 1 to 1000 [the seed chooses]\n"
          "  --rounds R    so many times, each until all has healed, 1 to 1000 [1; with small\n"
          "                tables the seed chooses]\n"
          "  --stop        at the first seed that fails\n"
          "  --verbose     a line for each seed\n"
          "  --returns     clients keep positions and come back with them\n"
          "  --trace       what happens, to standard error\n"
          "  --json        one JSON object instead of text\n"
          "\n"
          "Exits with 1 when an invariant did not hold.\n",
          out);
}

static bool parse_number(const char *text, uint64_t min, uint64_t max, uint64_t *value) {
    char *end;
    if (*text < '0' || *text > '9')
        return false;
    *value = strtoull(text, &end, 10);
    return *end == '\0' && *value >= min && *value <= max;
}

static bool parse_seeds(const char *text, arguments *a) {
    const char *dots = strstr(text, "..");
    char first[32] = { 0 };
    if (dots == NULL)
        return parse_number(text, 0, UINT64_MAX - 1, &a->first) && (a->last = a->first, true);
    if ((size_t)(dots - text) >= sizeof first)
        return false;
    memcpy(first, text, (size_t)(dots - text));
    return parse_number(first, 0, UINT64_MAX - 1, &a->first) &&
           parse_number(dots + 2, a->first, UINT64_MAX - 1, &a->last);
}

static bool parse(int count, char **values, arguments *a) {
    static const struct option options[] = {
        { "seeds", required_argument, NULL, 's' },
        { "nodes", required_argument, NULL, 'n' },
        { "minutes", required_argument, NULL, 'm' },
        { "rounds", required_argument, NULL, 'r' },
        { "stop", no_argument, NULL, 'x' },
        { "verbose", no_argument, NULL, 'v' },
        { "trace", no_argument, NULL, 't' },
        { "returns", no_argument, NULL, 'k' },
        { "json", no_argument, NULL, 'j' },
        { "help", no_argument, NULL, 'h' },
        { NULL, 0, NULL, 0 },
    };
    bool seeds = false;
    int option;
    uint64_t number = 0;
    while ((option = getopt_long(count, values, "", options, NULL)) != -1) {
        bool ok = true;
        if (option == 's')
            ok = seeds = parse_seeds(optarg, a);
        else if (option == 'n')
            ok = parse_number(optarg, 2, SIM_NODES_MAX, &number), a->sim.nodes = (unsigned)number;
        else if (option == 'm')
            ok = parse_number(optarg, 1, 1000, &number), a->sim.minutes = (unsigned)number;
        else if (option == 'r')
            ok = parse_number(optarg, 1, 1000, &number), a->sim.rounds = (unsigned)number;
        else if (option == 'x')
            a->stop = true;
        else if (option == 'v')
            a->verbose = true;
        else if (option == 't')
            a->sim.trace = true;
        else if (option == 'k')
            a->sim.returns = true;
        else if (option == 'j')
            a->json = true;
        else if (option == 'h')
            usage(stdout), exit(EXIT_SUCCESS);
        else
            return false;
        if (!ok) {
            fprintf(stderr, "wsfan-sim: not a valid value: %s\n", optarg);
            return false;
        }
    }
    return seeds && optind == count;
}

static void note_failures(uint64_t seed, const sim_report *report) {
    for (size_t i = 0; i < report->violations_count && failures_count < FAILURES_MAX; i++) {
        failures[failures_count].seed = seed;
        memcpy(failures[failures_count++].text, report->violations[i],
               sizeof report->violations[i]);
    }
}

static void tell_failure(uint64_t seed, const arguments *a, const sim_report *report, FILE *out) {
    fprintf(out, "seed %" PRIu64 " failed; repeat it with: wsfan-sim --seeds %" PRIu64 "..%" PRIu64,
            seed, seed, seed);
    if (a->sim.nodes != 0)
        fprintf(out, " --nodes %u", a->sim.nodes);
    if (a->sim.minutes != 0)
        fprintf(out, " --minutes %u", a->sim.minutes);
    if (a->sim.rounds != 0)
        fprintf(out, " --rounds %u", a->sim.rounds);
    fputc('\n', out);
    for (size_t i = 0; i < report->violations_count; i++)
        fprintf(out, "  %s\n", report->violations[i]);
}

static void print_json(const arguments *a, uint64_t seeds, const sim_report *total) {
    printf("{\"seeds\": %" PRIu64 ", \"first_seed\": %" PRIu64 ", \"last_seed\": %" PRIu64
           ", \"simulated_seconds\": %.3f, \"faults\": {",
           seeds, a->first, a->first + seeds - 1, (double)total->simulated_ms / 1000);
    for (unsigned i = 0; i < FAULT_COUNT; i++)
        printf("%s\"%s\": %" PRIu64, i > 0 ? ", " : "", fault_text((fault_kind)i),
               total->faults[i]);
    printf("}, \"frames\": %" PRIu64 ", \"published\": %" PRIu64 ", \"deliveries\": %" PRIu64
           ", \"violations\": [",
           total->frames, total->published, total->deliveries);
    for (size_t i = 0; i < failures_count; i++)
        printf("%s{\"seed\": %" PRIu64 ", \"text\": \"%s\"}", i > 0 ? ", " : "", failures[i].seed,
               failures[i].text); /* the texts hold nothing that JSON would have escaped */
    printf("]}\n");
}

static void print_text(const arguments *a, uint64_t seeds, const sim_report *total) {
    printf("seeds      %" PRIu64 "..%" PRIu64 " (%" PRIu64 ")\n", a->first, a->first + seeds - 1,
           seeds);
    printf("simulated  %.1f s\n", (double)total->simulated_ms / 1000);
    printf("faults    ");
    for (unsigned i = 0; i < FAULT_COUNT; i++)
        printf(" %s %" PRIu64 "%s", fault_text((fault_kind)i), total->faults[i],
               i + 1 < FAULT_COUNT ? "," : "\n");
    printf("frames     %" PRIu64 "\n", total->frames);
    printf("published  %" PRIu64 "\n", total->published);
    printf("deliveries %" PRIu64 " checked\n", total->deliveries);
    printf("violations %zu\n", failures_count);
}

int main(int count, char **values) {
    arguments a = { 0 };
    if (!parse(count, values, &a)) {
        usage(stderr);
        return EXIT_USAGE;
    }
    sim_report total = { 0 };
    uint64_t seed = a.first;
    for (; seed <= a.last && !(a.stop && failures_count > 0); seed++) {
        uint64_t before = total.deliveries;
        uint64_t frames_before = total.frames;
        total.violations_count = 0;
        sim_run(seed, &a.sim, &total);
        note_failures(seed, &total);
        if (total.violations_count > 0)
            tell_failure(seed, &a, &total, stderr);
        if (a.verbose)
            fprintf(stderr,
                    "seed %" PRIu64 ": %" PRIu64 " frames, %" PRIu64
                    " deliveries, %zu violations\n",
                    seed, total.frames - frames_before, total.deliveries - before,
                    total.violations_count);
    }
    if (a.json)
        print_json(&a, seed - a.first, &total);
    else
        print_text(&a, seed - a.first, &total);
    return failures_count > 0 ? EXIT_VIOLATION : EXIT_SUCCESS;
}
