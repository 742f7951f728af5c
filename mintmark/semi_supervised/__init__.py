"""Learning from few labelled and many unlabelled images: a semi-supervised GAN, controls without one, their students."""
