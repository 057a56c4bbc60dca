"""What somebody who has to allow a federation asks for, from a bundle: card, data, history, risks, tests, parts."""
