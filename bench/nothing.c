/* SPDX-License-Identifier: ISC */
/* The program that spawn_wait starts. */
int main(void)
{
	return 0;
}
