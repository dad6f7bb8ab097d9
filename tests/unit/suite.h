/* What every unit test shares: one suite, one main. */
#ifndef SUITE_H
#define SUITE_H

#include <check.h>
#include <stdint.h>
#include <stdlib.h>

/* Check writes a file for each assertion that holds, to say which was the last one before a crash. A core file and the sanitizers
 * say it better, and in a loop it takes most of a test's time. */
#define _mark_point(file, line) ((void)(file))

/* What follows the title are tests. */
#define SUITE_RUN(title, ...)                                                                      \
    static int run_suite(void) {                                                                   \
        const TTest *const tests[] = { __VA_ARGS__ };                                              \
        Suite *suite = suite_create(title);                                                        \
        for (size_t i = 0; i < sizeof tests / sizeof *tests; i++) {                                \
            TCase *tcase = tcase_create(tests[i]->name);                                           \
            tcase_set_timeout(tcase, 120);                                                         \
            tcase_add_test(tcase, tests[i]);                                                       \
            suite_add_tcase(suite, tcase);                                                         \
        }                                                                                          \
        SRunner *runner = srunner_create(suite);                                                   \
        srunner_run_all(runner, CK_NORMAL);                                                        \
        int failed = srunner_ntests_failed(runner);                                                \
        srunner_free(runner);                                                                      \
        return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;                                          \
    }

#define SUITE_MAIN(title, ...)                                                                     \
    SUITE_RUN(title, __VA_ARGS__)                                                                  \
    int main(void) {                                                                               \
        return run_suite();                                                                        \
    }

/* A generator of its own for each test, so that a run repeats. */
static inline uint64_t next_random(uint64_t *state) {
    uint64_t z = *state += UINT64_C(0x9e3779b97f4a7c15); /* SplitMix64 */
    z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
    return z ^ (z >> 31);
}

#endif
