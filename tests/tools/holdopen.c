/* SPDX-License-Identifier: Apache-2.0 */
/* holdopen - have files open until standard input ends.
 *
 * holdopen FILE...: opens them for reading, prints "ready", waits.
 */
#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

int
main(int argc, char *argv[])
{
	char c;
	int i;

	for (i = 1; i < argc; i++)
		if (open(argv[i], O_RDONLY) < 0) {
			perror(argv[i]);
			return 1;
		}
	if (write(STDOUT_FILENO, "ready\n", 6) != 6)
		return 1;
	while (read(STDIN_FILENO, &c, 1) > 0)
		;
	return 0;
}
