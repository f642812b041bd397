/* The unit tests' suites, one SUITE(module) a line: tests/unit/<module>_test.c exports Suite *<module>_suite(void). */
