"""`otx train --enable-hpo`: trainings with several hyper-parameters, of which the best goes on to its end."""
