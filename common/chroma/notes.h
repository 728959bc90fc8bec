/* SPDX-License-Identifier: Apache-2.0 */
/* notes.h - what the facts of a survey mean: sentences that a person
 * understands, the dangerous first.
 */
#ifndef CHROMA_NOTES_H
#define CHROMA_NOTES_H

#include "chroma/survey.h"

/* Fill notes (and healthy) of one collection, when its facts are all there. */
void notes_collection(struct survey *s, struct survey_collection *sc);

/* Fill the notes of the store, when those of its collections are. */
void notes_store(struct survey *s, const struct persist *pd);

#endif
