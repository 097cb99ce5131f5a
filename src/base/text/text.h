/*
 * text.h: all that there is about text.
 */
#ifndef BASE_TEXT_H
#define BASE_TEXT_H

#include "base/random.h"
#include "base/text/base64.h"
#include "base/text/number.h"
#include "base/text/printable.h"
#include "base/text/span.h"

#endif
