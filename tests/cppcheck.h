/* `make analyze`: what cppcheck 2.10 overlooks, in a way that it knows. It reads this before each file. */
#define _Noreturn __attribute__((__noreturn__))
#define noreturn  __attribute__((__noreturn__))
