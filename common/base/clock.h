/* SPDX-License-Identifier: Apache-2.0 */
/* clock.h - how much time goes by; nothing that sets the time of day moves it.
 */
#ifndef BASE_CLOCK_H
#define BASE_CLOCK_H

#include <stdint.h>

int64_t clock_ms(void);		/* since some moment in the past */
double clock_seconds(void);	/* the same */

#endif
