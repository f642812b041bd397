/* The unit tests' suites, one SUITE(module) a line: tests/unit/<module>_test.c exports Suite *<module>_suite(void). */
SUITE(arena)
SUITE(problem)
SUITE(decimal)
SUITE(timestamp)
SUITE(pattern)
SUITE(hash)
SUITE(utf8)
