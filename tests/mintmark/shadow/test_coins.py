"""Coins of shadow models: halves, pairs, classes, and fresh ones for each pair."""

import numpy as np

from mintmark.shadow.coins import toss

CODES = np.arange(90) % 3


def test_a_pair_shares_the_pool_between_them():
    coins = toss(CODES, num=4, seed=0)
    assert (coins[0] != coins[1]).all()
    assert (coins[2] != coins[3]).all()
    assert (coins.sum(axis=0) == 2).all()


def test_every_class_is_halved():
    coins = toss(CODES, num=2, seed=0)
    assert np.bincount(CODES[coins[0]]).tolist() == [15, 15, 15]


def test_coins_differ_between_pairs_and_seeds_and_stay_when_shadows_are_added():
    two, four, other = toss(CODES, num=2, seed=0), toss(CODES, num=4, seed=0), toss(CODES, num=2, seed=1)
    assert (four[:2] == two).all()
    assert (four[2] != two[0]).any()
    assert (other != two).any()


def test_an_odd_one_has_no_counterpart_and_none_is_none():
    assert toss(CODES, num=1, seed=0).sum() == 45
    assert toss(CODES, num=0, seed=0).shape == (0, 90)
