/* SPDX-License-Identifier: Apache-2.0 */
/*
 * shamir.c — see shamir.h. Arithmetic in GF(2^8) has neither tables nor branches that depend on
 * values: how long it takes and what memory it touches tells nothing of a secret.
 */
#include "storage/shamir.h"

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#include "base/secret.h"

/* Multiplication, modulo x^8 + x^4 + x^3 + x + 1. */
static uint8_t gf_mul(uint8_t a, uint8_t b)
{
    uint8_t product = 0;
    for (int bit = 0; bit < 8; bit++) {
        product ^= (uint8_t)(-(b & 1) & a);
        a = (uint8_t)((a << 1) ^ (-(a >> 7) & 0x1b));
        b >>= 1;
    }
    return product;
}

/* The inverse is the 254th power: 254 = 2 + 4 + … + 128. That of 0 is 0. */
static uint8_t gf_invert(uint8_t a)
{
    uint8_t power = a, inverse = 1;
    for (int i = 1; i < 8; i++) {
        power = gf_mul(power, power);
        inverse = gf_mul(inverse, power);
    }
    return inverse;
}

/* The polynomial's value at x; coefficients from the lowest up (Horner's rule). */
static uint8_t evaluate(const uint8_t *coefficients, int n, uint8_t x)
{
    uint8_t value = 0;
    for (int i = n - 1; i >= 0; i--)
        value = gf_mul(value, x) ^ coefficients[i];
    return value;
}

/* An unbiased number below `bound`, 1 to 255. */
static unsigned random_below(unsigned bound)
{
    unsigned limit = 256 - 256 % bound;
    uint8_t byte;
    do
        random_bytes(&byte, 1);
    while (byte >= limit);
    return byte % bound;
}

/* 1 to 255 in random order: distinct, and none is zero. */
static void random_coordinates(uint8_t coordinates[SHAMIR_SHARES_MAX])
{
    for (unsigned i = 0; i < SHAMIR_SHARES_MAX; i++)
        coordinates[i] = (uint8_t)(i + 1);
    for (unsigned i = SHAMIR_SHARES_MAX - 1; i > 0; i--) {
        unsigned j = random_below(i + 1);
        uint8_t swap = coordinates[i];
        coordinates[i] = coordinates[j];
        coordinates[j] = swap;
    }
}

int shamir_split(const unsigned char *secret, size_t size, int n, int threshold, unsigned char *ret_shares)
{
    if (size == 0 || threshold < 2 || threshold > n || n > SHAMIR_SHARES_MAX)
        return ERR_INVALID;
    uint8_t coordinates[SHAMIR_SHARES_MAX], coefficients[SHAMIR_SHARES_MAX];
    random_coordinates(coordinates);
    for (int share = 0; share < n; share++)
        ret_shares[(size_t)share * (size + 1) + size] = coordinates[share];
    for (size_t i = 0; i < size; i++) {
        coefficients[0] = secret[i];
        random_bytes(coefficients + 1, (size_t)threshold - 1);
        for (int share = 0; share < n; share++)
            ret_shares[(size_t)share * (size + 1) + i] = evaluate(coefficients, threshold, coordinates[share]);
    }
    secret_wipe(coefficients, sizeof coefficients);
    return OK;
}

/* Coordinates are public: looking at them may take a varying time. */
static bool coordinates_fit(const uint8_t *coordinates, int n)
{
    bool seen[256] = {true}; /* zero would be the secret itself */
    for (int i = 0; i < n; i++) {
        if (seen[coordinates[i]])
            return false;
        seen[coordinates[i]] = true;
    }
    return true;
}

/* Lagrange's weight of point i for the value at zero: the product of x_j / (x_j - x_i), and minus is plus. */
static uint8_t weight_at_zero(const uint8_t *coordinates, int n, int i)
{
    uint8_t above = 1, below = 1;
    for (int j = 0; j < n; j++) {
        if (j == i)
            continue;
        above = gf_mul(above, coordinates[j]);
        below = gf_mul(below, coordinates[j] ^ coordinates[i]);
    }
    return gf_mul(above, gf_invert(below));
}

int shamir_combine(const unsigned char *shares, int n, size_t share_size, unsigned char *ret_secret)
{
    if (n < 2 || n > SHAMIR_SHARES_MAX || share_size < 2)
        return ERR_INVALID;
    size_t size = share_size - 1;
    uint8_t coordinates[SHAMIR_SHARES_MAX];
    for (int i = 0; i < n; i++)
        coordinates[i] = shares[(size_t)i * share_size + size];
    if (!coordinates_fit(coordinates, n))
        return ERR_INVALID;
    memset(ret_secret, 0, size);
    for (int i = 0; i < n; i++) {
        uint8_t weight = weight_at_zero(coordinates, n, i);
        for (size_t byte = 0; byte < size; byte++)
            ret_secret[byte] ^= gf_mul(shares[(size_t)i * share_size + byte], weight);
    }
    return OK;
}
