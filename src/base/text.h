/*
 * text.h: all that there is about text.
 */
#ifndef BASE_TEXT_H
#define BASE_TEXT_H

#include "base/base64.h"
#include "base/number.h"
#include "base/printable.h"
#include "base/random.h"
#include "base/span.h"

#endif
