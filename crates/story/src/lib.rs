//! From stored facts to what is told: merge, states, effects, views, text.
