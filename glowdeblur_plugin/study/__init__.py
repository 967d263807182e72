"""The study of blur priors: which training data carries over to blur that was not trained on."""
